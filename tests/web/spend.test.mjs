// Spend: by whom, of what, when; drill-down, own days, forecast; and what stands there when there is nothing or an error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { kMarkup } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard({ fake: true });

const table = (page) => page.getByRole('region', { name: /^Spend by/ });

for (const look of kLooks) {
  test(`spend with chart, table and forecast at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('spend');
    await table(page).getByRole('button', { name: 'acme' }).waitFor();
    await page.getByText(/most likely between \$5,830\.00 and \$6,710\.00/).waitFor();
    await page.getByText('The same weekdays and hours').waitFor();
    await page.getByText(kMarkup).first().waitFor();
    await view.look('spend');
    await page.getByRole('button', { name: /as a table/ }).click();
    await page.getByRole('region', { name: 'Spend by tenant, as a table' }).waitFor();
    await view.look('spend-table', { full: false });
    await view.close();
  });
}

test('who has no tenant is opened too, down to the requests, and the chips lead back', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  const asked = [];
  page.on('request', (request) => { if (request.url().includes('/usage')) asked.push(new URL(request.url())); });
  await view.open('spend');
  await table(page).getByRole('button', { name: 'no tenant' }).click();
  await page.getByRole('region', { name: 'Spend by user' }).waitFor();
  assert.match(page.url(), /without=tenant/);
  await page.getByRole('button', { name: 'Not only what has no tenant' }).waitFor();
  await table(page).getByRole('button').first().click();
  await page.getByRole('region', { name: 'Spend by key' }).waitFor();
  await view.look('spend-keys', { full: false });
  assert.equal(await table(page).getByRole('link', { name: 'consumer acme-support-bot' }).getAttribute('href'), '#/consumers/acme-support-bot');
  await table(page).getByRole('button', { name: 'acme-support-bot' }).click();
  await page.getByRole('region', { name: 'Spend by model' }).waitFor();
  await view.settled();
  await table(page).getByRole('button').first().click();
  await page.getByRole('region', { name: 'Requests, newest first' }).getByRole('link', { name: 'acme-support-bot' }).first().waitFor();
  const rows = asked.findLast((url) => url.pathname.endsWith('/usage')).searchParams;
  assert.deepEqual([rows.get('without'), rows.get('key'), rows.has('user'), rows.has('model')], ['tenant', 'acme-support-bot', true, true]);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('51–100').waitFor();
  await page.getByRole('button', { name: 'Not only what has no tenant' }).click();
  await page.waitForFunction(() => !location.hash.includes('without'));
  await page.getByText('1–50').waitFor();
  await view.close();
});

for (const look of kLooks) {
  test(`every request at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    await view.open('spend?by=request&model=gpt-4o');
    await view.page.getByRole('region', { name: 'Requests, newest first' }).waitFor();
    await view.look('spend-requests');
    await view.close();
  });
}

test('the marks of the axis are told apart by their digits', async () => {
  dashboard.state.answers.set('/usage/series', { body: { step: 'day', times: ['2026-11-25T00:00:00Z', '2026-11-26T00:00:00Z'], series: [{ group: 'acme', requests: [1, 2], tokens: [1, 2], usd_micros: [60_000, 130_000], refused: null }] } });
  const view = await browser.view(dashboard, {});
  await view.page.evaluate(() => {
    globalThis.written = new Set();
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { globalThis.written.add(text); return fillText.call(this, text, ...rest); };
  });
  await view.open('spend');
  await view.page.waitForFunction(() => globalThis.written.has('$0.025') && globalThis.written.has('$0.075'));
  assert.ok(!(await view.page.evaluate(() => [...globalThis.written])).includes('$0.03'));
  await view.close();
});

test('a press goes from tenant to user to key to model, and a chip leads back', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('spend');
  await table(page).getByRole('button', { name: 'acme' }).click();
  await page.getByRole('region', { name: 'Spend by user' }).waitFor();
  assert.match(page.url(), /tenant=acme/);
  await page.getByText('for acme').waitFor();
  await view.settled();
  await table(page).getByRole('button').first().click();
  await page.getByRole('region', { name: 'Spend by key' }).waitFor();
  await page.getByText('for acme, of the whole tenant').waitFor();
  await page.getByRole('button', { name: /Not only tenant acme/ }).click();
  await page.waitForFunction(() => !location.hash.includes('tenant=acme'));
  await view.close();
});

test('a day opens that day by hour, and days can be chosen by hand', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('spend?by=day');
  await page.getByRole('region', { name: 'Spend by day' }).getByRole('button').nth(2).click();
  await page.getByText(/^per hour/).waitFor();
  assert.match(page.url(), /span=own/);
  await page.getByLabel('First day').fill('2026-01-05');
  await page.getByLabel('Last day').fill('2026-01-02');
  await page.getByLabel('Last day').blur();
  await page.getByRole('alert').getByText('The first day is after the last.').waitFor();
  await view.look('spend-days', { full: false });
  await page.getByLabel('Last day').fill('2026-01-20');
  await page.getByLabel('Last day').blur();
  await page.getByText(/5 Jan to 20 Jan/).first().waitFor();
  await page.getByRole('button', { name: '24 h' }).click();
  await page.getByText(/the last 24 hours/).first().waitFor();
  await page.getByRole('button', { name: 'Tokens' }).click();
  await page.getByRole('heading', { name: 'Tokens' }).waitFor();
  await view.close();
});

test('no use, no forecast yet, and errors are told in words', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  const none = { group: 'total', requests: 0, input_tokens: 0, output_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, reasoning_tokens: 0, usd_micros: 0, reserved_tokens: 0, tool_calls: 0 };
  dashboard.state.answers.set('/usage/sums', { body: { sums: [], total: none } });
  dashboard.state.answers.set('/usage/series', { body: { step: 'day', times: [], series: [] } });
  dashboard.state.answers.set('/spend/forecast', { body: { period: { start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z', zone: 'UTC' }, spent_usd_micros: 0, forecast_usd_micros: null, low_usd_micros: null, high_usd_micros: null, method: 'a whole day of use must have been seen', days_seen: 0 } });
  await view.open('spend');
  assert.equal(await page.getByText('Nothing was used in this time').count(), 2);
  await page.getByText('No forecast yet: a whole day of use must have been seen.').waitFor();
  await view.look('spend-none', { full: false });
  dashboard.state.answers.set('/usage/sums', { status: 400, problem: true, body: { detail: 'Between since and until lie at most 400 days.' } });
  await page.getByRole('button', { name: 'User', exact: true }).click();
  await page.getByRole('alert').getByText('at most 400 days').waitFor();
  await view.close();
});
