"""Exercises every operation of the server with boto3: boto3_check.py ENDPOINT ACCESS_KEY SECRET_KEY.

Prints what each check proves, and exits with 1 if one fails.
"""

import base64
import datetime
import hashlib
import os
import socket
import sys
import threading
import traceback
import urllib.error
import urllib.request
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.utils import S3RegionRedirectorv2

ENDPOINT, ACCESS_KEY, SECRET_KEY = sys.argv[1:4]
MIB = 1 << 20
PART = 5 * MIB
ODD_KEYS = [
    "/leading", "a//b", "a/./b", "a/../b", "trailing/", "a b", "a+b", "a%2Fb", "a%", "emoji-🦀/é", "~tilde",
    "q?x=1&y#z", "star*'()!", "quote\"<>&", "tab\tnewline\n", "dot.", "..", ".", "//", "a=b;c:d@e,f$g",
]


# Virtual hosts are on this machine, whatever its resolver knows.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(
    "127.0.0.1" if str(host).endswith("s3.test") else host, *rest, **more)


def client(endpoint=ENDPOINT, key=ACCESS_KEY, secret=SECRET_KEY, region="us-east-1", style="path", **options):
    config = Config(s3={"addressing_style": style}, retries={"total_max_attempts": 1}, signature_version="s3v4", **options)
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                        region_name=region, config=config)


s3 = client()
checks = []


def check(function):
    checks.append(function)
    return function


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def fails(status, code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        found = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        equal(found, (status, code))
        assert error.response["ResponseMetadata"].get("RequestId"), "a failure has no request id"
        return error.response
    raise AssertionError(f"expected {status} {code}, and it succeeded")


def bucket(versions=False, _count=[0]):
    _count[0] += 1
    name = f"check-{_count[0]}-{os.getpid()}"
    s3.create_bucket(Bucket=name)
    if versions:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def keys(page):
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes(page):
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def upload(name, key, bodies, complete=None, **create):
    started = s3.create_multipart_upload(Bucket=name, Key=key, **create)
    target = dict(Bucket=name, Key=key, UploadId=started["UploadId"])
    parts = []
    for number, body in enumerate(bodies, 1):
        algorithm = {"ChecksumAlgorithm": create["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in create else {}
        answer = s3.upload_part(PartNumber=number, Body=body, **algorithm, **target)
        kept = {name: answer[name] for name in answer if name.startswith("Checksum") and "ChecksumAlgorithm" in create}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **kept})
    return s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **target, **(complete or {}))


@check
def buckets_are_created_listed_found_and_deleted():
    name = bucket()
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    equal(s3.head_bucket(Bucket=name)["BucketRegion"], "us-east-1")
    equal(s3.get_bucket_location(Bucket=name).get("LocationConstraint"), None)
    fails(409, "BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=name)
    s3.put_object(Bucket=name, Key="k")
    fails(409, "BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    fails(404, "404", s3.head_bucket, Bucket=name)
    fails(404, "NoSuchBucket", s3.list_objects_v2, Bucket=name)
    fails(404, "NoSuchBucket", s3.put_object, Bucket=name, Key="k", Body=b"x")
    fails(404, "NoSuchBucket", s3.delete_objects, Bucket=name, Delete={"Objects": [{"Key": "k"}]})


@check
def a_bucket_of_another_region_redirects_and_is_followed():
    name = f"check-region-{os.getpid()}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    equal(s3.get_bucket_location(Bucket=name)["LocationConstraint"], "eu-west-1")
    client(region="eu-west-1").put_object(Bucket=name, Key="k", Body=b"there")
    answer = fails(400, "AuthorizationHeaderMalformed", raw(client(region="ap-south-1")).get_object, Bucket=name, Key="k")
    equal(answer["Error"]["Region"], "eu-west-1")
    answer = fails(301, "PermanentRedirect", raw(client()).get_object, Bucket=name, Key="k")
    equal(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"], "eu-west-1")
    equal(client().get_object(Bucket=name, Key="k")["Body"].read(), b"there")


def raw(other):
    """A client that does not follow region redirects."""
    for handler in other.meta.events._emitter._handlers.prefix_search("needs-retry.s3"):
        if isinstance(getattr(handler, "__self__", None), S3RegionRedirectorv2):
            other.meta.events.unregister("needs-retry.s3", handler)
    return other


@check
def objects_come_back_with_their_attributes():
    name, body = bucket(), os.urandom(100_000)
    expires = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)
    put = s3.put_object(Bucket=name, Key="k", Body=body, ContentType="text/x", CacheControl="no-cache", ContentDisposition="inline",
                        ContentEncoding="gzip", ContentLanguage="de", Expires=expires, Metadata={"a": "1", "b": "two words"},
                        StorageClass="STANDARD_IA", ServerSideEncryption="aws:kms", SSEKMSKeyId="key", RequestPayer="requester")
    equal(put["ETag"], '"' + hashlib.md5(body).hexdigest() + '"')
    equal((put["ServerSideEncryption"], put["SSEKMSKeyId"], put["RequestCharged"]), ("aws:kms", "key", "requester"))
    for answer in (s3.get_object(Bucket=name, Key="k"), s3.head_object(Bucket=name, Key="k")):
        equal((answer["ContentType"], answer["CacheControl"], answer["ContentDisposition"]), ("text/x", "no-cache", "inline"))
        equal((answer["ContentEncoding"], answer["ContentLanguage"], answer["ContentLength"]), ("gzip", "de", len(body)))
        equal((answer["Metadata"], answer["ETag"], answer["StorageClass"]), ({"a": "1", "b": "two words"}, put["ETag"], "STANDARD_IA"))
        equal((answer["AcceptRanges"], answer["LastModified"].microsecond, answer["ExpiresString"]), ("bytes", 0, "Sun, 01 Jan 2040 00:00:00 GMT"))
        if "Body" in answer:
            equal(answer["Body"].read(), body)
    answer = s3.get_object(Bucket=name, Key="k", ResponseContentType="x/y", ResponseCacheControl="max-age=1")
    equal((answer["ContentType"], answer["CacheControl"]), ("x/y", "max-age=1"))
    fails(404, "NoSuchKey", s3.get_object, Bucket=name, Key="other")
    fails(404, "404", s3.head_object, Bucket=name, Key="other")
    fails(400, "InvalidStorageClass", s3.put_object, Bucket=name, Key="k", StorageClass="NONE")
    fails(400, "MetadataTooLarge", s3.put_object, Bucket=name, Key="k", Metadata={"a": "x" * 2048})
    fails(400, "KeyTooLongError", s3.put_object, Bucket=name, Key="k" * 1025)
    s3.put_object(Bucket=name, Key="empty")
    equal(s3.get_object(Bucket=name, Key="empty")["Body"].read(), b"")


@check
def keys_are_kept_byte_for_byte():
    for style, endpoint in (("path", ENDPOINT), ("virtual", ENDPOINT.replace("127.0.0.1", "s3.test"))):
        name, odd = bucket(), client(endpoint=endpoint, style=style)
        for key in ODD_KEYS:
            odd.put_object(Bucket=name, Key=key, Body=key.encode())
            equal(odd.get_object(Bucket=name, Key=key)["Body"].read(), key.encode())
            odd.copy_object(Bucket=name, Key="copy/" + key, CopySource={"Bucket": name, "Key": key})
        expected = sorted(ODD_KEYS + ["copy/" + key for key in ODD_KEYS], key=str.encode)
        equal(keys(odd.list_objects_v2(Bucket=name)), expected)
        answer = odd.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in expected]})
        equal(sorted(entry["Key"] for entry in answer["Deleted"]), sorted(expected))
        equal(keys(odd.list_objects_v2(Bucket=name)), [])


@check
def ranges_are_kept_and_refused():
    name = bucket()
    s3.put_object(Bucket=name, Key="k", Body=b"0123456789")
    for spec, expected, where in (("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
                                  ("bytes=-3", b"789", "bytes 7-9/10"), ("bytes=8-99", b"89", "bytes 8-9/10")):
        answer = s3.get_object(Bucket=name, Key="k", Range=spec)
        equal((answer["Body"].read(), answer["ContentRange"], answer["ResponseMetadata"]["HTTPStatusCode"]), (expected, where, 206))
    for spec in ("bytes=0-1,4-5", "bytes=5-2", "lines=1-2"):
        answer = s3.get_object(Bucket=name, Key="k", Range=spec)
        equal((answer["Body"].read(), answer["ResponseMetadata"]["HTTPStatusCode"]), (b"0123456789", 200))
    equal(s3.head_object(Bucket=name, Key="k", Range="bytes=0-3")["ContentLength"], 4)
    answer = fails(416, "InvalidRange", s3.get_object, Bucket=name, Key="k", Range="bytes=10-")
    equal(answer["Error"]["ActualObjectSize"], "10")
    equal(answer["ResponseMetadata"]["HTTPHeaders"]["content-range"], "bytes */10")


@check
def reads_are_conditional():
    name = bucket()
    etag = s3.put_object(Bucket=name, Key="k", Body=b"x")["ETag"]
    then = s3.head_object(Bucket=name, Key="k")["LastModified"]
    second = datetime.timedelta(seconds=1)
    for call in (s3.get_object, s3.head_object):
        call(Bucket=name, Key="k", IfMatch=etag, IfUnmodifiedSince=then - second)
        call(Bucket=name, Key="k", IfNoneMatch='"other"', IfModifiedSince=then + second)
        call(Bucket=name, Key="k", IfUnmodifiedSince=then)
        fails(304, "304", call, Bucket=name, Key="k", IfNoneMatch=etag)
        fails(304, "304", call, Bucket=name, Key="k", IfModifiedSince=then)
        expected = "PreconditionFailed" if call == s3.get_object else "412"
        fails(412, expected, call, Bucket=name, Key="k", IfMatch='"other"')
        fails(412, expected, call, Bucket=name, Key="k", IfUnmodifiedSince=then - second)


@check
def writes_are_conditional():
    name = bucket()
    etag = s3.put_object(Bucket=name, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    fails(412, "PreconditionFailed", s3.put_object, Bucket=name, Key="k", Body=b"2", IfNoneMatch="*")
    fails(412, "PreconditionFailed", s3.put_object, Bucket=name, Key="k", Body=b"2", IfMatch='"other"')
    fails(404, "NoSuchKey", s3.put_object, Bucket=name, Key="none", Body=b"2", IfMatch=etag)
    fails(501, "NotImplemented", s3.put_object, Bucket=name, Key="k", Body=b"2", IfNoneMatch=etag)
    etag = s3.put_object(Bucket=name, Key="k", Body=b"2", IfMatch=etag)["ETag"]
    fails(412, "PreconditionFailed", upload, name, "k", [b"3"], complete={"IfNoneMatch": "*"})
    fails(412, "PreconditionFailed", upload, name, "k", [b"3"], complete={"IfMatch": '"other"'})
    etag = upload(name, "k", [b"3"], complete={"IfMatch": etag})["ETag"]
    fails(412, "PreconditionFailed", s3.delete_object, Bucket=name, Key="k", IfMatch='"other"')
    s3.delete_object(Bucket=name, Key="k", IfMatch=etag)
    fails(404, "NoSuchKey", s3.get_object, Bucket=name, Key="k")
    wins = []

    def create(number):
        try:
            client().put_object(Bucket=name, Key="race", Body=b"%d" % number, IfNoneMatch="*")
            wins.append(number)
        except ClientError as error:
            equal(error.response["Error"]["Code"], "PreconditionFailed")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(wins), 1)
    equal(s3.get_object(Bucket=name, Key="race")["Body"].read(), b"%d" % wins[0])


@check
def copies_keep_or_replace_attributes_and_are_conditional():
    name = bucket()
    etag = s3.put_object(Bucket=name, Key="k", Body=b"abc", ContentType="a/b", Metadata={"x": "y"})["ETag"]
    source = {"Bucket": name, "Key": "k"}
    equal(s3.copy_object(Bucket=name, Key="kept", CopySource=source)["CopyObjectResult"]["ETag"], etag)
    answer = s3.head_object(Bucket=name, Key="kept")
    equal((answer["ContentType"], answer["Metadata"]), ("a/b", {"x": "y"}))
    s3.copy_object(Bucket=name, Key="new", CopySource=source, MetadataDirective="REPLACE", ContentType="c/d", Metadata={"z": "1"})
    answer = s3.head_object(Bucket=name, Key="new")
    equal((answer["ContentType"], answer["Metadata"]), ("c/d", {"z": "1"}))
    fails(400, "InvalidRequest", s3.copy_object, Bucket=name, Key="k", CopySource=source)
    fails(404, "NoSuchKey", s3.copy_object, Bucket=name, Key="k", CopySource={"Bucket": name, "Key": "none"})
    fails(412, "PreconditionFailed", s3.copy_object, Bucket=name, Key="c", CopySource=source, CopySourceIfMatch='"other"')
    fails(412, "PreconditionFailed", s3.copy_object, Bucket=name, Key="c", CopySource=source, CopySourceIfNoneMatch=etag)
    s3.copy_object(Bucket=name, Key="c", CopySource=source, CopySourceIfMatch=etag)
    create_only = client()
    create_only.meta.events.register("before-sign.s3.CopyObject", lambda request, **_: request.headers.add_header("If-None-Match", "*"))
    fails(412, "PreconditionFailed", create_only.copy_object, Bucket=name, Key="c", CopySource=source)
    create_only.copy_object(Bucket=name, Key="d", CopySource=source)


@check
def deletions_of_many_report_or_are_quiet():
    name = bucket()
    for number in range(5):
        s3.put_object(Bucket=name, Key=f"k{number}")
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k0"}, {"Key": "none"}]})
    equal([entry["Key"] for entry in answer["Deleted"]], ["k0", "none"])
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k1"}], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer
    equal(keys(s3.list_objects_v2(Bucket=name)), ["k2", "k3", "k4"])
    many = [{"Key": f"none{number}"} for number in range(1000)]
    equal(len(s3.delete_objects(Bucket=name, Delete={"Objects": many})["Deleted"]), 1000)
    fails(400, "MalformedXML", s3.delete_objects, Bucket=name, Delete={"Objects": many + [{"Key": "more"}]})
    unsigned = client()
    unsigned.meta.events.register("before-sign.s3.DeleteObjects", lambda request, **_: strip_checksum(request))
    fails(400, "InvalidRequest", unsigned.delete_objects, Bucket=name, Delete={"Objects": [{"Key": "k2"}]})


def strip_checksum(request):
    for header in [header for header in request.headers if header.lower().startswith("x-amz-checksum")]:
        del request.headers[header]


@check
def listings_are_ordered_paged_and_rolled_up():
    name = bucket()
    names = ["a", "a/1", "a/2", "a0", "b/x/1", "b/x/2", "b/y", "c", "z--1--2", "é", "🦀/x"]
    for key in reversed(names):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    equal(keys(s3.list_objects_v2(Bucket=name)), names)
    page = s3.list_objects_v2(Bucket=name, Delimiter="/", FetchOwner=True)
    equal((keys(page), prefixes(page), page["KeyCount"]), (["a", "a0", "c", "z--1--2", "é"], ["a/", "b/", "🦀/"], 8))
    assert all(entry["Owner"]["ID"] and entry["LastModified"] and entry["StorageClass"] == "STANDARD" for entry in page["Contents"])
    equal(prefixes(s3.list_objects_v2(Bucket=name, Prefix="b/", Delimiter="/")), ["b/x/"])
    equal(prefixes(s3.list_objects_v2(Bucket=name, Delimiter="--")), ["z--"])
    equal(keys(s3.list_objects_v2(Bucket=name, StartAfter="c")), ["z--1--2", "é", "🦀/x"])
    equal(keys(s3.list_objects_v2(Bucket=name, StartAfter="b")), ["b/x/1", "b/x/2", "b/y", "c", "z--1--2", "é", "🦀/x"])
    none = s3.list_objects_v2(Bucket=name, MaxKeys=0)
    equal((none["KeyCount"], none["IsTruncated"], none["MaxKeys"]), (0, False, 0))
    fails(400, "InvalidArgument", s3.list_objects_v2, Bucket=name, ContinuationToken="nonsense")
    fails(400, "InvalidArgument", s3.list_objects_v2, Bucket=name, MaxKeys=-1)
    for paged in ("list_objects_v2", "list_objects"):
        for size in (1, 2, 3):
            pages = list(s3.get_paginator(paged).paginate(Bucket=name, Delimiter="/", PaginationConfig={"PageSize": size}))
            found = sum((keys(page) + prefixes(page) for page in pages), [])
            equal(sorted(found, key=str.encode), ["a", "a/", "a0", "b/", "c", "z--1--2", "é", "🦀/"])
            assert all(len(keys(page)) + len(prefixes(page)) <= size for page in pages)
    page = s3.list_objects(Bucket=name, MaxKeys=2)
    equal((page["IsTruncated"], page.get("NextMarker"), page["Marker"]), (True, None, ""))
    equal(keys(s3.list_objects(Bucket=name, Marker="z")), ["z--1--2", "é", "🦀/x"])


@check
def versions_are_kept_listed_read_and_removed():
    name = bucket(versions=True)
    equal(s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
    first = s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=name, Key="k", Body=b"2")["VersionId"]
    s3.put_object(Bucket=name, Key="other", Body=b"3")
    equal(s3.get_object(Bucket=name, Key="k", VersionId=first)["Body"].read(), b"1")
    equal(s3.head_object(Bucket=name, Key="k")["VersionId"], second)
    deleted = s3.delete_object(Bucket=name, Key="k")
    assert deleted["DeleteMarker"]
    answer = fails(404, "NoSuchKey", s3.get_object, Bucket=name, Key="k")
    equal(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"], "true")
    fails(405, "MethodNotAllowed", s3.get_object, Bucket=name, Key="k", VersionId=deleted["VersionId"])
    fails(404, "NoSuchVersion", s3.get_object, Bucket=name, Key="k", VersionId="none")
    equal(keys(s3.list_objects_v2(Bucket=name)), ["other"])
    page = s3.list_object_versions(Bucket=name, Prefix="k")
    equal([(entry["VersionId"], entry["IsLatest"]) for entry in page["Versions"]], [(second, False), (first, False)])
    equal([(entry["VersionId"], entry["IsLatest"]) for entry in page["DeleteMarkers"]], [(deleted["VersionId"], True)])
    for size in (1, 2, 3):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=name, PaginationConfig={"PageSize": size})
        found = [entry["VersionId"] for page in pages for entry in page.get("DeleteMarkers", []) + page.get("Versions", [])]
        equal(found[:3], [deleted["VersionId"], second, first])
        equal(len(found), 4)
    s3.copy_object(Bucket=name, Key="k", CopySource={"Bucket": name, "Key": "k", "VersionId": first})
    equal(s3.get_object(Bucket=name, Key="k")["Body"].read(), b"1")
    gone = s3.delete_object(Bucket=name, Key="k", VersionId=deleted["VersionId"])
    assert gone["DeleteMarker"] and gone["VersionId"] == deleted["VersionId"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    equal(s3.put_object(Bucket=name, Key="k", Body=b"null")["VersionId"], "null")
    equal(s3.put_object(Bucket=name, Key="k", Body=b"null 2")["VersionId"], "null")
    equal(sum(entry["VersionId"] == "null" for entry in s3.list_object_versions(Bucket=name, Prefix="k")["Versions"]), 1)
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k", "VersionId": first}, {"Key": "other"}]})
    equal(answer["Deleted"][0], {"Key": "k", "VersionId": first})
    assert answer["Deleted"][1]["DeleteMarker"]


@check
def uploads_in_parts_are_made_listed_and_aborted():
    name, bodies = bucket(), [os.urandom(PART), os.urandom(PART), b"last"]
    answer = upload(name, "k", bodies, ContentType="a/b", Metadata={"x": "y"})
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    equal(answer["ETag"], f'"{digest}-3"')
    answer = s3.get_object(Bucket=name, Key="k")
    equal((answer["Body"].read() == b"".join(bodies), answer["ContentType"], answer["Metadata"]), (True, "a/b", {"x": "y"}))
    answer = s3.get_object(Bucket=name, Key="k", PartNumber=3)
    equal((answer["Body"].read(), answer["PartsCount"]), (b"last", 3))
    equal(s3.get_object(Bucket=name, Key="k", Range=f"bytes={PART - 2}-{PART + 1}")["Body"].read(), bodies[0][-2:] + bodies[1][:2])
    target = dict(Bucket=name, Key="p/1", UploadId=s3.create_multipart_upload(Bucket=name, Key="p/1")["UploadId"])
    other = s3.create_multipart_upload(Bucket=name, Key="p/1")["UploadId"]
    third = s3.create_multipart_upload(Bucket=name, Key="q")["UploadId"]
    etag = s3.upload_part(PartNumber=1, Body=b"small", **target)["ETag"]
    last = s3.upload_part(PartNumber=10000, Body=b"last", **target)["ETag"]
    copied = s3.upload_part_copy(PartNumber=2, CopySource={"Bucket": name, "Key": "k"}, CopySourceRange="bytes=0-99", **target)
    equal(copied["CopyPartResult"]["ETag"], '"' + hashlib.md5(bodies[0][:100]).hexdigest() + '"')
    fails(400, "InvalidArgument", s3.upload_part_copy, PartNumber=2, CopySource={"Bucket": name, "Key": "k"},
          CopySourceRange=f"bytes=0-{99 * MIB}", **target)
    fails(400, "InvalidArgument", s3.upload_part, PartNumber=10001, Body=b"", **target)
    equal([part["PartNumber"] for part in s3.list_parts(**target)["Parts"]], [1, 2, 10000])
    page = s3.list_parts(MaxParts=1, PartNumberMarker=1, **target)
    equal((page["Parts"][0]["Size"], page["IsTruncated"], page["NextPartNumberMarker"]), (100, True, 2))
    page = s3.list_multipart_uploads(Bucket=name)
    equal([(entry["Key"], entry["UploadId"]) for entry in page["Uploads"]], [("p/1", target["UploadId"]), ("p/1", other), ("q", third)])
    page = s3.list_multipart_uploads(Bucket=name, Delimiter="/")
    equal((prefixes(page), [entry["Key"] for entry in page["Uploads"]]), (["p/"], ["q"]))
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=name, PaginationConfig={"PageSize": 1})
    equal([entry["UploadId"] for page in pages for entry in page["Uploads"]], [target["UploadId"], other, third])

    def complete(code, *parts):
        named = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return fails(400, code, s3.complete_multipart_upload, MultipartUpload={"Parts": named}, **target)

    complete("EntityTooSmall", (1, etag), (10000, last))
    complete("InvalidPart", (1, last))
    complete("InvalidPart", (3, etag))
    complete("InvalidPartOrder", (10000, last), (1, etag))
    complete("MalformedXML")
    s3.abort_multipart_upload(**target)
    fails(404, "NoSuchUpload", s3.abort_multipart_upload, **target)
    fails(404, "NoSuchUpload", s3.upload_part, PartNumber=1, Body=b"", **target)
    fails(404, "NoSuchUpload", s3.list_parts, **target)
    fails(404, "NoSuchUpload", s3.complete_multipart_upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}, **target)


@check
def the_transfer_manager_uploads_and_downloads():
    name, body = bucket(), os.urandom(17 * MIB + 13)
    path = f"/tmp/s3-check-{os.getpid()}"
    try:
        with open(path, "wb") as file:
            file.write(body)
        s3.upload_file(path, name, "k")
        s3.download_file(name, "k", path)
        with open(path, "rb") as file:
            assert file.read() == body
    finally:
        os.remove(path)


@check
def checksums_are_verified_kept_and_returned():
    name, body = bucket(), b"some bytes"
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    wrong = base64.b64encode(b"1234").decode()
    equal(s3.put_object(Bucket=name, Key="k", Body=body, ChecksumCRC32=crc)["ChecksumCRC32"], crc)
    fails(400, "BadDigest", s3.put_object, Bucket=name, Key="k", Body=body, ChecksumCRC32=wrong)
    fails(400, "InvalidRequest", s3.put_object, Bucket=name, Key="k", Body=body, ChecksumCRC32="nonsense")
    for algorithm, expected in (("CRC32", crc), ("SHA1", hashlib.sha1(body).digest()), ("SHA256", hashlib.sha256(body).digest())):
        s3.put_object(Bucket=name, Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
        answer = s3.head_object(Bucket=name, Key=algorithm, ChecksumMode="ENABLED")
        expected = expected if isinstance(expected, str) else base64.b64encode(expected).decode()
        equal((answer["Checksum" + algorithm], answer["ChecksumType"]), (expected, "FULL_OBJECT"))
    assert "ChecksumCRC32" not in client(response_checksum_validation="when_required").head_object(Bucket=name, Key="CRC32")
    fails(400, "BadDigest", s3.put_object, Bucket=name, Key="k", Body=body, ContentMD5=base64.b64encode(b"x" * 16).decode())
    fails(400, "InvalidDigest", s3.put_object, Bucket=name, Key="k", Body=body, ContentMD5="nonsense")
    parts = [os.urandom(PART), b"tail"]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    expected = base64.b64encode(hashlib.sha256(digests).digest()).decode() + "-2"
    equal(upload(name, "composite", parts, ChecksumAlgorithm="SHA256")["ChecksumSHA256"], expected)
    whole = base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
    full = dict(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    answer = upload(name, "full", parts, complete={"ChecksumType": "FULL_OBJECT", "ChecksumCRC32": whole}, **full)
    equal((answer["ChecksumCRC32"], answer["ChecksumType"]), (whole, "FULL_OBJECT"))
    fails(400, "BadDigest", upload, name, "full", parts, complete={"ChecksumType": "FULL_OBJECT", "ChecksumCRC32": wrong}, **full)
    answer = s3.get_object_attributes(Bucket=name, Key="composite", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"])
    equal((answer["ObjectSize"], answer["Checksum"]["ChecksumSHA256"]), (PART + 4, expected))
    equal([part["Size"] for part in answer["ObjectParts"]["Parts"]], [PART, 4])
    equal((answer["StorageClass"], answer["ObjectParts"]["TotalPartsCount"]), ("STANDARD", 2))


@check
def customer_keys_are_needed_to_read():
    name, key = bucket(), os.urandom(32)
    sse = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    s3.put_object(Bucket=name, Key="k", Body=b"x", **sse)
    equal(s3.get_object(Bucket=name, Key="k", **sse)["Body"].read(), b"x")
    fails(400, "InvalidRequest", s3.get_object, Bucket=name, Key="k")
    other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    fails(403, "AccessDenied", s3.get_object, Bucket=name, Key="k", **other)


@check
def credentials_are_checked():
    name = bucket()
    fails(403, "InvalidAccessKeyId", client(key="nobody").list_objects_v2, Bucket=name)
    fails(403, "SignatureDoesNotMatch", client(secret="wrong").list_objects_v2, Bucket=name)
    fails(403, "SignatureDoesNotMatch", client(secret="wrong").put_object, Bucket=name, Key="k", Body=os.urandom(6 * MIB))
    fails(400, "AuthorizationHeaderMalformed", client(region="eu-north-1").list_buckets)
    with_token = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                              aws_session_token="none", region_name="us-east-1")
    fails(400, "InvalidToken", with_token.list_buckets)
    try:
        urllib.request.urlopen(f"{ENDPOINT}/{name}")
        raise AssertionError("an anonymous request was answered")
    except urllib.error.HTTPError as error:
        document = error.read().decode()
        equal(error.code, 403)
        for element in ("<Code>AccessDenied</Code>", f"<Resource>/{name}</Resource>", "<RequestId>", "<Message>"):
            assert element in document, document


@check
def urls_are_presigned():
    name, odd = bucket(), "a b/ü+%?"
    put = s3.generate_presigned_url("put_object", {"Bucket": name, "Key": odd, "ContentType": "a/b"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"body", method="PUT", headers={"Content-Type": "a/b"}))
    get = s3.generate_presigned_url("get_object", {"Bucket": name, "Key": odd, "ResponseContentType": "x/y"}, ExpiresIn=60)
    answer = urllib.request.urlopen(get)
    equal((answer.read(), answer.headers["Content-Type"]), (b"body", "x/y"))
    for url in (get.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), s3.generate_presigned_url("get_object", {"Bucket": name, "Key": odd}, ExpiresIn=-1)):
        try:
            urllib.request.urlopen(url)
            raise AssertionError("a wrong URL was answered")
        except urllib.error.HTTPError as error:
            assert error.code in (400, 403), error.code
    delete = s3.generate_presigned_url("delete_object", {"Bucket": name, "Key": odd})
    equal(urllib.request.urlopen(urllib.request.Request(delete, method="DELETE")).status, 204)


def main():
    failed = 0
    for function in checks:
        title = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok      {title}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {title}\n{traceback.format_exc()}", flush=True)
    print(f"{ENDPOINT}, boto3 {boto3.__version__}: {len(checks) - failed} of {len(checks)} checks hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
