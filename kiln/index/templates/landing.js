const here = new URL(".", location.href).href;
document.querySelectorAll(".index").forEach(each => { each.textContent = here + "simple/"; });
document.querySelectorAll(".here").forEach(each => { each.textContent = here; });
if (navigator.clipboard) document.querySelectorAll(".copy").forEach(each => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy: " + each.querySelector("code").textContent);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(each.querySelector("code").textContent);
    button.textContent = "Copied";
  });
  each.append(button);
});
const form = document.getElementById("filters");
if (form) {
  const wheels = [...document.querySelectorAll(".wheel")];
  const asked = new URLSearchParams(location.search);
  const fields = [...form.querySelectorAll("input, select")];
  fields.forEach(field => { if (asked.has(field.name)) field.value = asked.get(field.name); });
  const fits = (wheel, wanted) => {
    const data = wheel.dataset;
    const words = wanted.text.toLowerCase().split(/\s+/);
    const glibc = data.glibc.split(".").map(Number), own = wanted.glibc.split(".").map(Number);
    return words.every(word => data.text.includes(word))
      && (!wanted.python || !data.python || data.python.split(" ").includes(wanted.python))
      && (!wanted.device || data.device === wanted.device)
      && (!wanted.glibc || !data.glibc || glibc[0] < own[0] || (glibc[0] === own[0] && glibc[1] <= own[1]))
      && (!wanted.since || data.date >= wanted.since)
      && (!wanted.again || data.again === wanted.again);
  };
  const show = () => {
    const wanted = Object.fromEntries(fields.map(field => [field.name, field.value]));
    let count = 0;
    wheels.forEach(wheel => { wheel.hidden = !fits(wheel, wanted); count += !wheel.hidden; });
    document.querySelectorAll(".project").forEach(each => { each.hidden = !each.querySelector(".wheel:not([hidden])"); });
    document.getElementById("count").textContent = count + " of " + wheels.length + " wheels";
    const given = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
    history.replaceState(null, "", location.pathname + (given ? "?" + given : "") + location.hash);
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  form.hidden = false;
  show();
}
