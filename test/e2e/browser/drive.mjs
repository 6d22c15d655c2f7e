// Drives the status page in a browser, as the lines of standard input say, and answers each with ok or with what is not
// so. It ends with its input.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const patience = 60_000;
const [, , program, url] = process.argv;
const origin = new URL(url).origin;

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await (await browser.newContext({ viewport: { width: 1600, height: 900 } })).newPage();

// What a page of ours never does.
const complaints = [];
page.on("console", (m) => { if (m.type() !== "log") complaints.push(`${m.type()}: ${m.text()}`); });
page.on("pageerror", (e) => complaints.push(`error: ${e.message}`));
page.on("request", (r) => {
  const to = new URL(r.url());
  if (to.protocol !== "data:" && to.origin !== origin) complaints.push(`it asks ${r.url()}`);
});
await page.addInitScript(() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
});

function want(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

// focused is what has the focus, and whether one sees that.
const focused = () => page.evaluate(() => {
  const e = document.activeElement, style = getComputedStyle(e);
  return { what: e.id || e.getAttribute("href") || e.tagName, seen: parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none" };
});

// faint are texts that can hardly be read: their contrast is below 4.5 to 1, the least that WCAG 2 has (AA).
const faint = () => page.evaluate(() => {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
    looked++;
    const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${((a + 0.05) / (b + 0.05)).toFixed(1)}: ${node.textContent.trim()}`);
  }
  return { looked, found, dark: luminance(behind(document.body)) < 0.2 };
});

const commands = {
  async open() {
    const answer = await page.goto(url);
    want(answer.status() === 200, `it answers ${answer.status()}`);
    await page.evaluate(() => { window.loaded = true; });
  },
  // The word on top, by the page's own doing: it is not loaded again.
  async verdict(word) {
    const said = () => page.evaluate(() => document.getElementById("verdict").textContent);
    await page.waitForFunction((w) => document.getElementById("top").dataset.verdict === w && document.getElementById("verdict").textContent === w
      && document.title.startsWith(w), word, { timeout: patience }).catch(async () => want(false, `it says ${await said()}`));
    want(await page.evaluate(() => window.loaded === true), "it was loaded again");
  },
  async says(text) {
    await page.waitForFunction((t) => document.body.innerText.includes(t), text, { timeout: patience })
      .catch(async () => want(false, `it says ${await page.evaluate(() => document.body.innerText)}`));
  },
  async width(columns) {
    await page.setViewportSize({ width: Number(columns), height: 800 });
    const { most, wide } = await page.evaluate(() => {
      const most = document.documentElement.clientWidth;
      const wide = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest(".skip, #nodes thead"))
        .filter((e) => e.getBoundingClientRect().right > most + 0.5 || e.getBoundingClientRect().left < -0.5)
        .map((e) => `${e.tagName} ${e.textContent.slice(0, 40)}`);
      if (document.documentElement.scrollWidth > most) wide.push(`the document has ${document.documentElement.scrollWidth}`);
      return { most, wide };
    });
    want(most === Number(columns) && wide.length === 0, `of ${most} pixels: ${wide.join("; ")}`);
  },
  async scheme(name) {
    await page.emulateMedia({ colorScheme: name });
    const { looked, found, dark } = await faint();
    want(dark === (name === "dark"), `its background is ${dark ? "dark" : "light"}`);
    want(looked > 50, `only ${looked} texts were looked at`);
    want(found.length === 0, `hard to read: ${found.join("; ")}`);
  },
  async keyboard() {
    const reached = [];
    const press = async (key) => {
      await page.keyboard.press(key);
      const { what, seen } = await focused();
      if (what !== "BODY") want(seen, `one does not see that ${what} has the focus`);
      return what;
    };
    for (let i = 0; await press("Tab") !== "BODY"; i++) want(i < 5, "Tab never leaves the page");
    for (let i = 0; i < 3; i++) reached.push(await press("Tab"));
    want(reached.join(" ") === "#nodes events /metrics", `Tab goes to ${reached.join(", ")}`);
    await press("Shift+Tab");
    want(await press("Shift+Tab") === "#nodes", "Shift and Tab do not go back");
    await page.keyboard.press("Enter");
    want((await focused()).what === "nodes", "the first link does not lead to the nodes");
    want(await press("Tab") === "events", "behind the nodes Tab does not go to the events");
  },
  async clean() {
    complaints.push(...await page.evaluate(() => window.violations.splice(0)));
    want(complaints.length === 0, complaints.splice(0).join("; "));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = line.split(" ");
  try {
    await commands[name](words.join(" "));
    console.log("ok");
  } catch (e) {
    console.log(`${line}: ${e.message}`.replaceAll("\n", " "));
  }
}
await browser.close();
