// Consumers: search, filters, paging; one consumer; edit, conflict, revoke, create.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { kLongName, kMarkup } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard();

const rows = (view) => view.page.getByRole('region', { name: 'Consumers' }).locator('tbody tr');

for (const look of kLooks) {
  test(`a name as long as names may be fits at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    await view.open('consumers?search=a-name-as-long');
    await rows(view).first().waitFor();
    await view.look('consumers-long', { full: false });
    await view.open(`consumers/${kLongName}`);
    await view.page.getByRole('meter').first().waitFor();
    await view.look('consumer-long');
    await view.close();
  });

  test(`the list and one consumer at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('consumers');
    await rows(view).first().waitFor();
    if (view.narrow) assert.match(await rows(view).first().locator('.below').innerText(), /Tokens .*Spend \$.*Refused/s);
    await view.look('consumers', { full: false });
    await page.getByLabel('Search consumers').fill('support-bot');
    await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => /support-bot/.test(row.textContent)));
    await page.getByRole('link', { name: 'acme-support-bot', exact: true }).click();
    await page.getByRole('meter').first().waitFor();
    await page.getByRole('heading', { name: 'History' }).waitFor();
    await view.look('consumer');
    assert.match(await view.text(), /resets in/);
    await view.close();
  });
}

test('names with markup are text in the list, on the page and in dialogs', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('consumers?search=markup-key');
  await page.getByText(kMarkup).first().waitFor();
  await view.open('consumers/markup-key');
  await page.getByText(kMarkup).first().waitFor();
  await page.getByRole('button', { name: 'Edit' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'Tenant' }).inputValue(), kMarkup);
  await view.close();
});

test('pages lead on and back, filters narrow, and the address keeps them', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('consumers');
  await rows(view).first().waitFor();
  const first = await rows(view).first().innerText();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText(/^51–/).waitFor();
  await view.settled();
  assert.notEqual(await rows(view).first().innerText(), first);
  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByText(/^1–/).waitFor();
  await page.getByLabel('Tier').selectOption('pro');
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => /pro/.test(row.textContent)));
  assert.match(page.url(), /tier=pro/);
  await page.getByRole('button', { name: 'Key', exact: true }).click();
  assert.match(page.url(), /sort=name/);
  await view.open('consumers?search=nobody-has-this-name');
  await page.getByText('No consumer matches').waitFor();
  await view.close();
});

test('an edit of somebody else is shown, not overwritten', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open(`consumers/${dashboard.key}`);
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('User').fill('mine@example.com');
  await dashboard.change(dashboard.key, { user: 'theirs@example.com' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('was changed by somebody else').waitFor();
  assert.match(await view.text('dialog[open]'), /theirs@example\.com/);
  await view.look('conflict', { full: false });
  await page.getByRole('button', { name: 'Save mine over theirs' }).click();
  await page.getByText('is changed').waitFor();
  await page.getByText('mine@example.com').waitFor();
  await view.close();
});

test('metadata that is no JSON is told at the field, and cannot be saved', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open(`consumers/${dashboard.key}`);
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Metadata and overrides').fill('{ "team": ');
  await page.getByText('This is not JSON').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
  await page.getByLabel('Metadata and overrides').fill('{ "team": "care", "requestsPerMinute": 40 }');
  await view.accessible('edit');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('"requestsPerMinute": 40').waitFor();
  await view.close();
});

test('a key is made, shown once, listed, and revoked after a question', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('consumers');
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByLabel('Name').fill(dashboard.key);
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('alert').waitFor();   // the name is taken
  await page.getByLabel('Name').fill('made-here');
  await view.look('new-key', { full: false });
  await page.getByRole('button', { name: 'Create key' }).click();
  const secret = await page.locator('[data-secret]').innerText();
  assert.match(secret, /^weir_/);
  await page.getByRole('button', { name: 'Show its limits' }).click();
  await page.getByRole('heading', { name: /made-here/ }).waitFor();
  assert.ok(!(await page.content()).includes(secret));
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('This key is revoked').waitFor();
  await view.close();
});

test('viewers see everything and are offered nothing that they may not do', async () => {
  const view = await browser.view(dashboard, { token: dashboard.viewer });
  await view.page.goto(dashboard.url);
  await view.open(`consumers/${dashboard.key}`);
  await view.page.getByRole('meter').first().waitFor();
  assert.equal(await view.page.getByRole('button', { name: 'Revoke' }).count(), 0);
  assert.equal(await view.page.getByRole('link', { name: 'First steps' }).count(), 0);
  await view.close();
});
