// The dashboard and the browser of one test file: there from its first test on, gone after its last.
//
//   import { browser, dashboard, useDashboard } from './stage.mjs';
//   useDashboard({ fake: true });
//   test('…', async () => { const view = await browser.view(dashboard, {}); … });
//
// `fake`: with answers that a test chooses (dashboard.state), back to their beginning before each test. Else a real server.
// `begin`: what is done first of all once both are there; hooks of a file's own do not wait for this one.
import { after, before, beforeEach } from 'node:test';
import { openBrowser } from './browser.mjs';
import { startDashboard } from './dashboard.mjs';

export let dashboard;
export let browser;

export function useDashboard({ fake = false, firstRun = false, begin } = {}) {
  if (fake) process.env.WEIR_WEB_FAKE = '1';
  before(async () => {
    dashboard = await startDashboard({ firstRun });
    browser = await openBrowser();
    await begin?.();
  });
  after(async () => {
    await browser?.close();
    await dashboard?.stop();
  });
  if (fake) {
    beforeEach(() => {
      dashboard.state.answers.clear();
      dashboard.state.steer = undefined;
    });
  }
}
