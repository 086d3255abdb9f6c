// Agents, Spend, Policy and Health on a real server with real traffic: what a screen changes holds for the next request, and
// what an agent did is on the screen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, eventually } from '../support/weir.mjs';
import { kNarrow } from './browser.mjs';
import { kLongName } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

let key;
const call = (method, where, body) => ask(`${dashboard.url}/admin/v1${where}`, { method, headers: { authorization: `Bearer ${dashboard.token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
const chat = (content, run, headers = {}) => ask(`${dashboard.weir.url}/v1/chat/completions`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-weir-run': run, 'x-weir-agent': 'planner', ...headers },
  body: JSON.stringify({ model: 'sim-1', max_tokens: 60, tools: [{ type: 'function', function: { name: 'lookup' } }], messages: [{ role: 'user', content }] }),
});
useDashboard({
  async begin() {
    key = JSON.parse((await call('POST', '/keys', { name: 'agent-key', tenant: 'acme', tier: 'pro' })).text).key;
    await eventually(async () => (await chat('Hello', 'begin')).status === 200, 'the key is known');
  },
});
const limit = (page, name) => page.locator('.limit', { has: page.locator('b', { hasText: new RegExp(`^${name}$`) }) });

test('a limit that is edited on the screen holds for the next request, and is as in the file once taken away', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy');
  await page.getByRole('button', { name: 'Edit requests' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Tier pro').fill('lots/1m');
  await dialog.getByText('The policy would not be valid this way').waitFor();
  await dialog.getByLabel('Tier pro').fill('1/1m');
  await dialog.getByText('Valid:').waitFor();
  await view.look('real-edit-limit', { full: false });
  await dialog.locator('footer').getByRole('button', { name: 'Save' }).click();
  await limit(page, 'requests').getByText('changed here').waitFor();
  await eventually(async () => (await chat('Hello', 'limited')).status === 429, 'the new amount holds');
  await view.look('real-policy');
  await limit(page, 'requests').getByRole('button', { name: 'Take away' }).click();
  await dialog.getByRole('button', { name: 'Take away' }).click();
  await page.getByText('Everything is as in the file').waitFor();
  await eventually(async () => (await chat('Hello again', 'free-again')).status === 200, 'the file holds again');
  await view.open('policy?tab=changes');
  await page.locator('.changes li').first().waitFor();
  assert.match(await view.text('.changes'), /requests/);
  await view.look('real-changes', { full: false });
  await view.close();
});

test('a tier\'s amount is edited and taken away, and who is faster is seen', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=tiers');
  await page.getByRole('button', { name: 'Edit tier pro' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('requests').fill('222/1m');
  await dialog.getByText('Valid:').waitFor();
  assert.equal((await call('PUT', '/tiers/pro', { amounts: { requests: ['111/1m'] } })).status, 200);
  await dialog.locator('footer').getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('was changed by somebody else').waitFor();
  assert.match(await dialog.innerText(), /300\/1m[\s\S]*111\/1m[\s\S]*222\/1m/);
  await dialog.getByRole('button', { name: 'Save mine over theirs' }).click();
  const amount = (text) => page.locator('.amounts dd', { hasText: text });
  await amount('222/1m').waitFor();
  await page.getByRole('button', { name: 'Take away' }).click();
  assert.equal((await call('PUT', '/tiers/pro', { amounts: { requests: ['111/1m'] } })).status, 200);
  await dialog.getByRole('button', { name: 'Take away' }).click();
  await dialog.getByText('Somebody changed pro meanwhile').waitFor();
  await amount('111/1m').waitFor();
  await dialog.getByRole('button', { name: 'Take away' }).click();
  await amount('300/1m').waitFor();
  await view.close();
});

test('a draft is checked, replayed over what was really sent, and put in force', async () => {
  for (let i = 0; i < 6; ++i) await chat(`Question ${i}`, `question-${i}`);
  await eventually(async () => JSON.parse((await call('GET', '/usage?key=agent-key')).text).rows.length > 6, 'requests are in the ledger');
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=what-if');
  const area = page.getByRole('textbox', { name: 'Draft of the policy' });
  const text = await area.inputValue();
  await area.fill(`${text}bogus: 1\n`);
  await page.getByText(/Not valid: \d fault/).waitFor();
  await page.getByRole('button', { name: /^line / }).first().click();
  await area.fill(text.replace(/300\/1m/, '2/1m'));
  await page.getByText('Valid', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Replay it' }).click();
  await page.getByRole('heading', { name: 'What would have been different' }).waitFor();
  assert.match(await view.text('.result-main'), /refuses \d+ more of/);
  await view.look('real-what-if');
  await page.getByRole('button', { name: 'Put in force' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Put in force' }).click();
  await page.getByText('In force: limit requests').waitFor();
  await view.open('policy');
  await limit(page, 'requests').getByText('changed here').waitFor();
  assert.equal((await call('DELETE', '/limits/requests')).status, 204);
  await view.close();
});

test('spend is told by tenant, user, model and day, with what is to be expected', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('spend?span=24h');
  await page.getByRole('region', { name: 'Spend by tenant' }).getByRole('button', { name: 'acme' }).click();
  await page.getByRole('region', { name: 'Spend by user' }).waitFor();
  await page.getByRole('region', { name: 'Spend by user' }).getByRole('button').first().click();
  await page.getByRole('region', { name: 'Spend by key' }).getByRole('button', { name: 'acme-support-bot' }).click();
  await page.getByRole('region', { name: 'Spend by model' }).getByRole('button', { name: 'sim-1' }).click();
  await page.getByRole('region', { name: 'Requests, newest first' }).getByRole('link', { name: 'acme-support-bot' }).first().waitFor();
  await view.open('spend?span=24h');
  await page.getByRole('region', { name: 'Spend by tenant' }).getByRole('button', { name: 'no tenant' }).click();
  await page.getByRole('region', { name: 'Spend by user' }).waitFor();
  await page.getByRole('button', { name: 'Key', exact: true }).click();
  await page.getByRole('region', { name: 'Spend by key' }).getByRole('link', { name: `consumer ${kLongName}` }).waitFor();
  assert.equal(await page.getByRole('region', { name: 'Spend by key' }).getByRole('button', { name: 'acme-support-bot' }).count(), 0);
  await page.getByRole('button', { name: 'Day', exact: true }).last().click();
  await page.getByRole('region', { name: 'Spend by day' }).locator('tbody tr').first().waitFor();
  await page.getByText(/expected|No forecast yet/).first().waitFor();
  await view.look('real-spend');
  await view.close();
});

test('health has its sentence, the providers and the version', async () => {
  const view = await browser.view(dashboard, { width: kNarrow, dark: true });
  await view.open('health');
  await view.page.locator('.verdict-words').waitFor();
  assert.match(await view.text(), /This server[\s\S]*Version/);
  // The page itself is a watcher.
  await eventually(async () => JSON.parse((await call('GET', '/health')).text).events.watchers > 0, 'health counts who watches');
  await view.look('real-health');
  await view.close();
});

test('a loop is on the screen with its evidence, and its run is stopped from there', async () => {
  const again = 'weir-sim: call lookup {}\n';
  await chat(again.repeat(5), 'looping');
  await eventually(async () => JSON.parse((await call('GET', '/audit?layer=breaker&run=looping')).text).rows.length > 0, 'the loop is in the audit');
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents?tab=anomalies');
  await page.locator('.evidence li', { hasText: 'Loop' }).first().waitFor();
  await view.look('real-anomalies');
  await view.open('agents');
  await page.getByRole('link', { name: /looping/ }).click();
  await page.getByRole('heading', { name: /Run looping/ }).waitFor();
  await page.locator('.evidence li').first().waitFor();
  await page.getByRole('region', { name: 'Calls as a tree' }).locator('tbody tr').first().waitFor();
  await view.look('real-run');
  await page.getByRole('button', { name: 'Stop this run' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('it loops');
  await page.getByRole('dialog').getByRole('button', { name: 'Go on' }).last().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click();
  await eventually(async () => (await chat('Hello', 'looping')).status >= 400, 'the run is stopped');
  await view.open('agents?tab=switches');
  await page.getByText('it loops').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Clear the switch' }).click();
  await page.getByText('Nothing is switched off').waitFor();
  await view.close();
});
