// Refusals: the sentence of each, filters, numbers, links.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard();

for (const look of kLooks) {
  test(`each refusal is a sentence at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    await view.open('refusals');
    await view.page.locator('.refusals > li').first().waitFor();
    for (const sentence of await view.page.locator('.refusal-sentence').allInnerTexts()) assert.ok(sentence.length > 20, sentence);
    await view.page.locator('.refusals > li').first().getByText('Numbers').click();
    await view.page.locator('.refusals details[open]').getByText('Allowed').waitFor();
    await view.look('refusals', { full: false });
    await view.close();
  });
}

test('filters narrow by limit, layer and consumer, and links lead to the consumer', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open(`refusals?key=${dashboard.key}&limit=${dashboard.limit}`);
  await page.locator('.refusals > li').first().waitFor();
  const keys = await page.locator('.refusal-links a:first-child').allInnerTexts();
  assert.ok(keys.length > 0 && keys.every((key) => key === dashboard.key), keys.join());
  await page.getByLabel('Layer').selectOption('plan');
  await page.getByText('Nothing was refused').waitFor();
  await page.getByLabel('Layer').selectOption('');
  await page.locator('.refusals > li').first().getByRole('link', { name: dashboard.key }).click();
  await page.getByRole('meter').first().waitFor();
  await view.close();
});

test('the search finds a refusal by the request id that its client was given', async () => {
  if (!dashboard.real) return;
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('refusals');
  await page.locator('.refusals > li').first().getByText('Numbers').click();
  const id = await page.locator('.refusals details[open] .mono').first().innerText();
  await page.getByLabel('Consumer').fill(id);
  await page.locator('.refusals > li:only-child').waitFor();
  await page.getByLabel('Consumer').fill(`req_${'0'.repeat(32)}`);
  await page.getByText('summed under the first').waitFor();
  await view.close();
});

test('a flood of equal refusals is one row that opens', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open(`refusals?key=${dashboard.key}&limit=${dashboard.limit}`);
  if (dashboard.real) {
    await page.locator('.refusal-head').getByText(/^×\d+$/).first().waitFor();
    await page.getByText('Each of them').first().click();
    assert.ok(await page.locator('.each li:visible').count() > 1);
  }
  await view.close();
});

test('sums by limit choose the limit', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('refusals');
  const first = page.locator('.sums button').first();
  const name = await first.locator('.sum-name').innerText();
  await first.click();
  await page.waitForFunction((limit) => new URLSearchParams(location.hash.split('?')[1]).get('limit') === limit, name);
  await view.settled();
  await view.close();
});
