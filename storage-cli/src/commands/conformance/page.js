const inputs = [...document.querySelectorAll("nav input")];
const show = () => {
  const group = inputs.find((input) => input.name === "group" && input.checked).value;
  const broken = document.getElementById("broken").checked;
  for (const body of document.querySelectorAll("tbody")) {
    const rows = [...body.querySelectorAll("tr[data-fails]")];
    rows.forEach((row) => { row.hidden = broken && row.dataset.fails === "0"; });
    body.hidden = (group !== "" && body.dataset.group !== group) || rows.every((row) => row.hidden);
  }
};
inputs.forEach((input) => input.addEventListener("change", show));
