// Real Chromium for tests of the dashboard: headless, loopback only.
//
//   const browser = await openBrowser();
//   const view = await browser.view(dashboard, { width: 375, dark: true });   // signed in by the link's code
//   await view.open('consumers');
//   await view.look('consumers');        // axe-core, overflow, and a screenshot in build/screenshots
//   await view.close();                  // fails on CSP violations, foreign requests, page errors, elements made of names
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { kDeadlineMs, kRoot } from '../support/weir.mjs';

const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const axeFile = require.resolve('axe-core/axe.min.js');
const kPictures = path.join(kRoot, 'build/screenshots');
const kBrowsers = [process.env.WEIR_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

export const kWide = 1440;
export const kNarrow = 375;

// Every width and colour in which a screen is looked at.
export const kLooks = [{ width: kWide }, { width: kNarrow, dark: true }, { width: kWide, dark: true }, { width: kNarrow }];

export async function openBrowser() {
  const executablePath = kBrowsers.find((file) => file && existsSync(file));
  if (!executablePath) throw new Error('Debian\'s package chromium is needed: apt-get install chromium');
  await mkdir(kPictures, { recursive: true });
  const axe = await readFile(axeFile, 'utf8');
  const chrome = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'] });
  return {
    view: (dashboard, options) => openView(chrome, axe, dashboard, options),
    close: () => chrome.close(),
  };
}

async function openView(chrome, axe, dashboard, { width = kWide, dark = false, signedIn = true, token } = {}) {
  const context = await chrome.newContext({
    viewport: { width, height: width < 500 ? 812 : 900 }, colorScheme: dark ? 'dark' : 'light', timezoneId: 'UTC', locale: 'en-US', reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(kDeadlineMs);
  const faults = [];
  const origin = new URL(dashboard.url).origin;
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) faults.push(`request to ${request.url()}`);
  });
  page.on('pageerror', (error) => faults.push(`error on the page: ${error.stack}`));
  page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  page.on('console', (message) => { if (/Content.Security.Policy|Refused to/i.test(message.text())) faults.push(message.text()); });
  const view = new View(context, page, axe, faults, dashboard, { width, dark });
  if (token) await page.addInitScript((value) => sessionStorage.setItem('weir.token', value), token);
  if (signedIn && !token) {
    const code = await dashboard.code();
    await page.goto(`${dashboard.url}/${code ? `#code=${code}` : ''}`);
    if (!code) {
      await page.getByLabel('Token').fill(dashboard.token);
      await page.getByRole('button', { name: 'Sign in' }).click();
    }
    await page.locator('.shell').waitFor();
  }
  return view;
}

class View {
  constructor(context, page, axe, faults, dashboard, { width, dark }) {
    Object.assign(this, { context, page, axe, faults, dashboard, width, dark });
  }

  get narrow() { return this.width < 500; }

  // Shows a screen by its address and waits until nothing is loading.
  async open(hash) {
    await this.page.evaluate((to) => { location.hash = to; }, `#/${hash}`);
    await this.page.locator('main h1').first().waitFor();
    await this.settled();
  }

  async settled() {
    await this.page.waitForFunction(() => !document.querySelector('.skeleton, [aria-busy="true"], .table-wrap.dim'));
  }

  // The state in which the page is: accessible, inside its width, and kept as a picture.
  async look(name, { full = true } = {}) {
    await this.settled();
    await this.accessible(name);
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} at ${this.width} px is ${over} px too wide`);
    const file = path.join(kPictures, `${name}-${this.width}-${this.dark ? 'dark' : 'light'}.png`);
    await this.page.screenshot({ path: file, fullPage: full, animations: 'disabled' });
  }

  async accessible(name) {
    await this.page.evaluate(this.axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(bad.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`), [], `${name} at ${this.width} px`);
  }

  async text(selector = 'main') { return this.page.locator(selector).first().innerText(); }

  async close() {
    const foreign = await this.page.evaluate(() => [
      ...[...document.querySelectorAll('img')].filter((image) => !/^(\/assets\/|data:)/.test(image.getAttribute('src') ?? '')).map((image) => image.outerHTML),
      ...[...document.querySelectorAll('script:not([src]), [onerror], [onload], [onclick], svg[onload], body b[id], main script')].map((one) => one.outerHTML),
      ...(/hacked/.test(document.title) ? ['the title was changed'] : []),
    ]);
    await this.context.close();
    assert.deepEqual(foreign, [], 'elements made of names');
    assert.deepEqual(this.faults, [], 'faults of the page');
  }
}
