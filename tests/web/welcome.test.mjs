// The first minute, as somebody has it who starts `weir serve` without a file: the link, screens without data, the demo key, real traffic, the limit biting, the refusal explained.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard({ firstRun: true });

test('the printed link signs in once, leaves the address bar and leads to the first steps', async () => {
  const code = await dashboard.code();
  const view = await browser.view(dashboard, { signedIn: false });
  await view.page.goto(`${dashboard.url}/#code=${code}`);
  await view.page.getByRole('heading', { name: 'Weir is running' }).waitFor();
  assert.ok(!view.page.url().includes(code), view.page.url());
  await view.page.goBack().catch(() => undefined);
  assert.ok(!view.page.url().includes(code), 'nor is it in the history');
  await view.close();
  const second = await browser.view(dashboard, { signedIn: false });
  await second.page.goto(`${dashboard.url}/#code=${code}`);
  await second.page.getByText('The link did not work').waitFor();
  assert.ok(!second.page.url().includes(code));
  await second.look('link-used', { full: false });
  await second.close();
});

for (const look of kLooks) {
  test(`screens say so when nothing has happened yet, at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    await view.open('flow');
    await view.page.getByText('Nothing was refused in the last 15 minutes').waitFor();
    await view.look('first-flow');
    await view.open('consumers');
    await view.page.getByRole('link', { name: 'demo', exact: true }).waitFor();
    await view.look('first-consumers', { full: false });
    await view.open('consumers?search=nobody');
    await view.page.getByText('No consumer matches').waitFor();
    await view.open('refusals');
    await view.page.getByText('All requests of this time fitted into their limits').waitFor();
    await view.look('first-refusals', { full: false });
    await view.close();
  });
}

for (const look of kLooks) {
  test(`a refusal is reached and explained at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('welcome');
    await page.getByText(/^weir_/).first().waitFor();
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.locator('.answers li').nth(2).waitFor();
    await page.getByRole('button', { name: 'until the limit bites' }).click();
    await page.getByText('It was refused before anything was sent').waitFor();
    assert.match(await view.text('.step:last-child .notice'), /^demo had used 20 of 20 runs within 1 minute; this request asked for 1 more/);
    await page.getByText('What the program was sent').click();
    assert.match(await view.text('.machine pre'), /"limit"/);
    await view.look('welcome');
    await view.page.getByRole('link', { name: 'See the traffic live' }).click();
    await view.page.locator('.events li').first().waitFor();   // what was refused before this screen was opened
    await view.look('first-flow-after');
    await view.close();
  });
}
