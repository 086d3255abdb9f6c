// First steps: the demo key, real traffic, the limit biting, the refusal explained.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { kLooks, openBrowser } from './browser.mjs';
import { startDashboard } from './dashboard.mjs';

let dashboard;
let browser;
before(async () => {
  dashboard = await startDashboard({ firstRun: true });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await dashboard?.stop();
});

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
    assert.match(await view.text('.step:last-child .notice'), /\w+ \w+ \w+/);
    await page.getByText('What the program was sent').click();
    assert.match(await view.text('.machine pre'), /"limit"/);
    await view.look('welcome');
    await view.close();
  });
}
