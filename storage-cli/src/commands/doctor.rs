//! `storage doctor`: why a place does not work, check by check, each with what to do.

mod place;
mod rights;
mod scratch;
mod sheet;

use serde_json::json;
use storage::diagnosis::{Examination, Finding, Given};
use storage::settings::{STORAGE_BACKEND, STORAGE_LOCAL_DURABILITY};
use storage::{Location, OpenOptions, Settings, Storage, Support, local, s3};

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use place::Place;
use rights::Rights;
use scratch::Scratch;
use sheet::Sheet;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "It writes under a name of its own, storage-doctor-… with 16 random digits, and removes it at the end, also \
                  after Ctrl-C. Each check ends by itself, all of a place within two minutes. No secret is shown.\n\
                  A check that fails ends the program with 1; one that needs a failed one is not tried.\n\
                  JSON, one document: well, places (place, location, origin, driver, settings (name, value, source), checks \
                  (check, verdict: good, note, failed or not_tried, seen, fix))."
)]
pub(crate) struct DoctorArgs {
    /// Directories, buckets, stores, or what is under a path of one; without any, the three roots
    #[arg(value_name = "LOCATION")]
    pub(crate) locations: Vec<String>,
    /// Write nothing
    #[arg(long)]
    pub(crate) read_only: bool,
}

pub(super) async fn run(args: DoctorArgs, session: &Session, output: &mut Output) -> Result<(), Failure> {
    let places = Place::all(&args.locations, session)?;
    let (mut well, mut documents) = (true, Vec::with_capacity(places.len()));
    for (number, place) in places.iter().enumerate() {
        if number > 0 && !output.is_json() {
            output.line("")?;
        }
        let mut sheet = Sheet::new(place, output)?;
        examine(place, args.read_only, session, &mut Examination::new(&mut sheet)).await;
        let (healthy, document) = sheet.end()?;
        well &= healthy;
        documents.push(document);
    }
    if output.is_json() {
        output.object(&json!({ "well": well, "places": documents }))?;
    }
    if well { Ok(()) } else { Err(Failure::Told(1)) }
}

async fn examine(place: &Place, read_only: bool, session: &Session, exam: &mut Examination<'_>) {
    let doctor = Doctor { settings: session.settings(), session, read_only };
    match &place.location {
        Err(error) => exam.add(Finding::failed("settings", error)),
        Ok(location @ Location::File(path)) => doctor.directory(location, path, exam).await,
        Ok(Location::Object(object)) if object.scheme == "s3" => {
            doctor.bucket(&object.container, &object.path, exam).await;
        }
        Ok(location) => doctor.other(location, exam).await,
    }
}

/// Examines one place.
struct Doctor<'a> {
    settings: &'a Settings,
    session: &'a Session,
    read_only: bool,
}

impl Doctor<'_> {
    async fn directory(&self, location: &Location, path: &std::path::Path, exam: &mut Examination<'_>) {
        self.given(&[STORAGE_BACKEND, STORAGE_LOCAL_DURABILITY], exam);
        match local::diagnose::diagnose(path, exam).await {
            local::diagnose::Found::Here => self.other(location, exam).await,
            local::diagnose::Found::Unmade => exam.skip(&rights::ALL, "the directory is not there yet"),
            local::diagnose::Found::Nothing => exam.skip(&rights::ALL, "directory has failed"),
        }
    }

    async fn bucket(&self, bucket: &str, prefix: &str, exam: &mut Examination<'_>) {
        use s3::diagnose::{CONDITIONS, Patient, UPLOADS};
        let Some(patient) = Patient::meet(bucket, prefix, self.settings, exam).await else {
            let rest = [&rights::WRITING[..], &UPLOADS, &CONDITIONS].concat();
            return exam.skip(&rest, "the bucket cannot be used");
        };
        let rights = Rights { root: patient.storage() };
        if self.read_only {
            return rights.of_reader(exam).await;
        }
        let name = Scratch::name();
        let below = match patient.below(&name) {
            Ok(below) => below,
            Err(error) => return exam.add(Finding::failed("write", &error)),
        };
        let scratch = Scratch::whole(below.storage(), name);
        let (written, deleted) = rights.of_writer(&scratch, exam).await;
        let versions = scratch.to_write().capabilities().versions == Support::Yes;
        if written {
            if versions {
                rights.version(&scratch, exam).await;
            }
            let aborts = below.uploads(scratch::OBJECT, exam).await;
            match deleted {
                true => below.conditions(aborts, exam).await,
                false => exam.skip(&CONDITIONS, "the objects of the probes could not be removed"),
            }
        } else {
            let of_versions = [rights::VERSION].into_iter().filter(|_| versions);
            let rest: Vec<_> = of_versions.chain(UPLOADS).chain(CONDITIONS).collect();
            exam.skip(&rest, rights::NOT_WRITTEN);
        }
        scratch.end(exam).await;
    }

    /// What every driver can be asked through the handle alone.
    async fn other(&self, location: &Location, exam: &mut Examination<'_>) {
        if location.scheme() != "file" {
            self.given(&[STORAGE_BACKEND], exam);
        }
        let Some(root) = self.open(location, exam).await else {
            return exam.skip(&rights::ALL, "it cannot be opened");
        };
        let rights = Rights { root };
        rights.list(exam).await;
        if self.read_only {
            return rights.of_reader(exam).await;
        }
        let name = Scratch::name();
        let scratch = match rights.root.sub(name.as_str()) {
            Ok(below) => Scratch::part(below, name),
            Err(error) => return exam.add(Finding::failed("write", &error)),
        };
        if rights.of_writer(&scratch, exam).await.0 {
            rights.conditions(&scratch, exam).await;
        }
        scratch.end(exam).await;
    }

    async fn open(&self, location: &Location, exam: &mut Examination<'_>) -> Option<Storage> {
        // A store of memory is made by whoever opens it; nothing else is made here.
        let create = location.scheme() == "memory";
        let options = OpenOptions::new().settings(self.settings.clone()).create(create);
        let opened = exam.run("open", rights::STEP, self.session.registry().open(location, &options)).await?;
        exam.add(Finding::good("open", format!("by the driver {}", opened.name())));
        Some(opened)
    }

    fn given(&self, names: &[&str], exam: &mut Examination<'_>) {
        for name in names {
            if let Ok(Some(setting)) = self.settings.get(name) {
                exam.given(Given::of(setting));
            }
        }
    }
}
