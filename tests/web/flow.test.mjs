// Flow: live numbers, groups, refusals as they happen, pause.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard();

for (const look of kLooks) {
  test(`shows what passes at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    await view.open('flow');
    await view.page.locator('[data-live="live"]:visible').waitFor();
    const traffic = dashboard.traffic();
    await view.page.locator('.events li').first().waitFor();
    await traffic;
    assert.equal(await view.page.locator('.chart canvas').count(), 4);
    await view.look('flow');
    await view.close();
  });
}

test('groups, span and table form of the charts are chosen by button and kept in the address', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('flow');
  await page.getByRole('button', { name: 'By model' }).click();
  await page.getByRole('button', { name: '15 min' }).click();
  assert.match(page.url(), /by=model/);
  assert.match(page.url(), /minutes=15/);
  await page.getByRole('button', { name: 'Show Requests per second as a table' }).click();
  const table = page.getByRole('region', { name: 'Requests per second, as a table' });
  assert.ok(await table.locator('tbody tr').count() > 0);
  await view.accessible('flow, as a table');
  await view.close();
});

test('pause holds the picture while events go on', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('flow');
  await page.locator('[data-live="live"]:visible').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused').waitFor();
  const before = await page.locator('.events li').count();
  const traffic = dashboard.traffic();
  await page.getByText(/more events? since/).waitFor();
  await traffic;
  assert.equal(await page.locator('.events li').count(), before);
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('.events li').first().waitFor();
  await view.close();
});

test('a stream that breaks is seen and comes back', async () => {
  const view = await browser.view(dashboard, { token: dashboard.token });   // sessions end with the server, tokens do not
  const { page } = view;
  await page.goto(dashboard.url);
  await view.open('flow');
  await page.locator('[data-live="live"]:visible').waitFor();
  // The server is gone as it is when a machine dies, and is there again at the same place.
  const { weir } = dashboard;
  const [listen, admin] = [weir.url, weir.admin].map((url) => new URL(url).host);
  await weir.kill();
  await page.locator('[data-live="waiting"]:visible, [data-live="connecting"]:visible').waitFor();
  await view.look('flow-gone', { full: false });
  await weir.writeConfig({ ...weir.config, listen, admin: { listen: admin, token: weir.adminToken } });
  await weir.start();
  await page.locator('[data-live="live"]:visible').waitFor();
  await view.close();
});
