// The page /diag: what it finds out about devices and network, and how it says so.

import { launchChromium } from "../lib/chromium.mjs";
import { check, test } from "../lib/harness.mjs";
import { until } from "../lib/wait.mjs";

const PHONE = {
    viewport: { width: 390, height: 780 },
    isMobile: true,
    hasTouch: true,
};

async function openDiag(t, tring, options) {
    const page = await t.page(options);
    await page.goto(`${tring.url}/diag/`);
    await page.waitForSelector("h1");
    return page;
}

const textOf = (page, selector) =>
    page.evaluate(
        (s) =>
            document.querySelector(s)?.textContent.replace(/\s+/g, " ").trim(),
        selector,
    );

/** How far the page can be moved sideways: on a phone it must not. */
const overhang = (page) =>
    page.evaluate(
        () =>
            document.documentElement.scrollWidth -
            document.documentElement.clientWidth,
    );

test("diag: the start page leads to it", async (t) => {
    const tring = await t.tring();
    const page = await t.page();
    await page.goto(tring.url);
    await page.click("#link-diag");
    await page.waitForSelector("diag-page h1");
});

test("diag: camera, microphone and speaker", async (t) => {
    const page = await openDiag(t, await t.tring());
    await page.click("#camera-button");
    await page.waitForSelector("#camera-card[data-state=open]");
    await until("a picture", () =>
        page.evaluate(
            () => document.querySelector("#camera-video").videoWidth > 0,
        ),
    );
    check(
        "what the camera gives",
        /pixels/.test(await textOf(page, "#camera-gives")),
    );
    await page.click("#microphone-button");
    await until("the meter moves", () =>
        page.evaluate(
            () => document.querySelector("#microphone-level").value > 0.2,
        ),
    );
    await until("and is told in words", async () =>
        /You are heard/.test(await textOf(page, "#microphone-word")),
    );
    const cameras = await page.evaluate(
        () => document.querySelectorAll("#camera-select option").length,
    );
    check("the cameras are listed", cameras >= 2);
    await page.click("#play-sound");
    await page.waitForSelector("#speaker-card[data-state=asking]");
    await until("the answer has the focus", () =>
        page.evaluate(() => document.activeElement?.id === "heard"),
    );
    await page.keyboard.press("Enter");
    await page.waitForSelector("#speaker-card[data-state=heard]");
    await page.click("#camera-button");
    await page.waitForSelector("#camera-card[data-state=off]");
});

test("diag: a permission that is denied", async (t) => {
    const browser = await launchChromium({ consent: false });
    t.atEnd(() => browser.close());
    const page = await openDiag(t, await t.tring(), {
        browser,
        permissions: [],
    });
    await page.evaluate(refuseDevices);
    for (const kind of ["camera", "microphone"]) {
        await page.click(`#${kind}-button`);
        await page.waitForSelector(
            `#${kind}-error[data-code=permission-denied]`,
        );
        const said = await textOf(page, `#${kind}-error`);
        check(
            `in words: ${said}`,
            said.includes(`may not use your ${kind}`) && /Allow it/.test(said),
        );
    }
});

/** Runs in the page: as a person who says no (a headless browser never asks). */
function refuseDevices() {
    navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(
            new DOMException("Permission denied", "NotAllowedError"),
        );
}

test("diag: constraints are tried out", async (t) => {
    const page = await openDiag(t, await t.tring());
    await page.click("#try-out-toggle");
    await page.click("#try-out-impossible");
    await page.click("#try-out-open");
    await page.waitForSelector(
        "#try-out-error[data-code=constraints][data-constraint=width]",
    );
    const said = await textOf(page, "#try-out-error");
    check(
        `what is impossible: ${said}`,
        /width of exactly 100,000 pixels/.test(said),
    );
    check("and its name", said.includes("“width”"));

    await page.click("#try-out-clear");
    await page.click("#size-hd");
    await page.fill("#frameRate-max", "20");
    await page.click("#try-out-open");
    await page.waitForSelector("#try-out-got");
    check(
        "the size",
        /1280 × 720 pixels/.test(await textOf(page, "#try-out-got")),
    );
    const asked = await textOf(page, "#try-out-asked");
    check(
        `the constraints: ${asked}`,
        asked.includes('"width":{"exact":1280}') && asked.includes('"max":20'),
    );
    await page.click("#try-out-close");

    await page.fill("#width-min", "wide");
    await page.press("#width-min", "Enter");
    await page.waitForSelector("#try-out-invalid");
});

test("diag: on a phone", async (t) => {
    const page = await openDiag(t, await t.tring(), PHONE);
    await page.click("#try-out-toggle");
    await page.click("#camera-button");
    await page.waitForSelector("#camera-card[data-state=open]");
    check("nothing sticks out", (await overhang(page)) === 0);
});
