// Agents: runs and their trees, loops with evidence, kill switches; and what stands there when there is nothing or an error.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { kMarkup } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard({ fake: true });

for (const look of kLooks) {
  test(`runs, a run, loops and switches at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('agents');
    await page.getByRole('link', { name: /run-3ea/ }).waitFor();
    await view.look('agents', { full: false });
    await view.open('agents/run-3ea');
    await page.getByRole('heading', { name: 'Calls' }).waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollHeight) < 3600, 'evidence hides the calls');
    await view.look('run');
    await view.open('agents?tab=anomalies');
    await page.locator('.evidence li').first().waitFor();
    await view.look('anomalies', { full: false });
    await view.open('agents?tab=switches');
    await page.getByText('deletes rows').waitFor();
    await view.look('switches');
    await view.close();
  });
}

test('a run is a tree: branches close and open by keyboard, and add up what is below', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents');
  await page.getByRole('link', { name: /run-3ea/ }).click();
  await page.getByRole('heading', { name: /Run run-3ea/ }).waitFor();
  const tree = page.getByRole('region', { name: 'Calls as a tree' });
  const rows = tree.locator('tbody tr');
  assert.equal(await rows.count(), 17);
  assert.match(await rows.first().innerText(), /planner[\s\S]*17[\s\S]*100%/);
  await rows.first().getByRole('button').focus();
  await page.keyboard.press('Enter');
  assert.equal(await rows.count(), 1);
  assert.equal(await rows.first().getByRole('button').getAttribute('aria-expanded'), 'false');
  await page.getByRole('button', { name: 'Open all' }).click();
  assert.equal(await rows.count(), 17);
  await page.getByText(kMarkup).first().waitFor();
  assert.match(await view.text('.evidence'), /made the same call 5 times/);
  assert.equal(await page.locator('.evidence > li').count(), 2, 'a warning and what followed it 69 times');
  await page.locator('.evidence').getByText('×69').waitFor();
  await page.locator('.evidence').getByText('Each of them').click();
  assert.equal(await page.locator('.each li:visible').count(), 69);
  await view.close();
});

test('calls that name each other as parents, or nobody, and a thousand of them are all shown', async () => {
  const run = await (await fetch(`${dashboard.url}/admin/v1/runs/run-3e8`, { headers: { authorization: 'Bearer fake-admin' } })).json();
  const one = (node, parent, i) => ({ ...run.calls[0], request_id: `r${i}`, node, parent, agent: `agent-${node}` });
  const circle = [one('a', 'c', 1), one('b', 'a', 2), one('c', 'b', 3), one('lost', 'gone', 4), one('own', 'own', 5)];
  dashboard.state.answers.set('/runs/odd', { body: { ...run, run: 'odd', calls: circle } });
  dashboard.state.answers.set('/runs/large', { body: { ...run, run: 'large', calls: Array.from({ length: 1000 }, (_, i) => one(`n${i}`, i ? `n${i - 1}` : null, i)) } });
  const view = await browser.view(dashboard, {});
  const rows = view.page.getByRole('region', { name: 'Calls as a tree' }).locator('tbody tr');
  await view.open('agents/odd');
  await view.page.getByRole('heading', { name: 'Run odd' }).waitFor();
  await view.page.getByRole('button', { name: 'Open all' }).or(rows.first()).first().waitFor();
  assert.equal(await rows.count(), 5);
  await view.open('agents/large');
  await view.page.getByRole('heading', { name: 'Run large' }).waitFor();
  await view.page.getByRole('button', { name: 'Open all' }).click();
  await view.page.getByText('700 more rows').waitFor();
  await view.page.getByRole('button', { name: 'Show more' }).click();
  await view.page.getByText('400 more rows').waitFor();
  assert.equal(await rows.count(), 600);
  await view.close();
});

test('runs are filtered by flag, state, agent and consumer, and the address keeps it', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents');
  await page.getByRole('button', { name: 'Flagged only' }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => row.querySelector('.flags')));
  assert.match(page.url(), /flagged=true/);
  await page.getByRole('button', { name: 'Flagged only' }).click();
  await page.getByLabel('State').selectOption('live');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 6);
  await page.getByLabel('Agent').selectOption('writer');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  await page.getByLabel('Consumer').fill('nobody');
  await page.getByText('No run matches').waitFor();
  await view.look('agents-none', { full: false });
  await view.close();
});

test('runs of one request are shown on demand, flagged ones come first, and the address keeps it', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  const single = /run-3f0/;
  await view.open('agents');
  const flags = await page.locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.querySelector('.flags') !== null));
  assert.ok(flags[0] && !flags.includes(true, flags.indexOf(false)), flags.join());
  await view.open('agents?sort=last');
  assert.equal(await page.getByRole('link', { name: single }).count(), 0);
  await page.getByRole('button', { name: 'Single requests too' }).click();
  await page.getByRole('link', { name: single }).waitFor();
  assert.match(page.url(), /single=true/);
  await page.getByRole('button', { name: 'Cost' }).click();
  await page.waitForFunction(() => !location.hash.includes('sort='));
  dashboard.state.answers.set('/runs', { body: { runs: [], ranked_since: null, next: null } });
  await page.getByRole('button', { name: 'Single requests too' }).click();
  await page.getByText('Runs of a single request without a flag are not shown.').waitFor();
  await view.close();
});

for (const width of [320, 375]) {
  test(`all tabs and what a run is known by are there at ${width} px`, async () => {
    const view = await browser.view(dashboard, { width });
    const { page } = view;
    for (const screen of ['agents', 'policy']) {
      await view.open(screen);
      for (const tab of await page.getByRole('tab').all()) {
        const { x, width: wide } = await tab.boundingBox();
        assert.ok(x >= 0 && x + wide <= width, `${screen}: ${await tab.innerText()}`);
      }
    }
    await view.open('agents');
    await page.locator('tbody tr').first().locator('.below').getByText('Consumer').waitFor();
    await page.locator('tbody tr').first().locator('.below').getByRole('link').waitFor();
    await view.close();
  });
}

test('a loop leads to its run', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents?tab=anomalies');
  await page.getByLabel('What').selectOption('repeats');
  await page.waitForFunction(() => [...document.querySelectorAll('.evidence > li')].every((row) => /Loop/.test(row.textContent)));
  const link = page.locator('.evidence-links a', { hasText: 'run ' }).first();
  assert.match(await link.getAttribute('href'), /#\/agents\/run-.*key=/);
  await view.close();
});

test('a kill switch is thrown with a reason after a question, and cleared after another', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents?tab=switches');
  await page.getByRole('button', { name: 'Throw a switch' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What to stop').selectOption('key');
  await dialog.getByRole('button', { name: 'Go on' }).last().click();
  await dialog.getByText('Which key?').waitFor();
  await dialog.getByText('Say why').waitFor();
  await dialog.getByLabel('Name of the key').fill('nobody-has-this-name');
  await dialog.getByLabel('Reason').fill('it loops');
  await view.look('throw', { full: false });
  await page.keyboard.press('Enter');
  await dialog.getByText('Every request of this key is refused').waitFor();
  await view.look('throw-sure', { full: false });
  await dialog.getByRole('button', { name: 'Stop it' }).click();
  await dialog.getByRole('alert').getByText('There is no key named nobody-has-this-name').waitFor();
  await dialog.getByRole('button', { name: 'Back' }).click();
  await dialog.getByLabel('Name of the key').fill('markup-key');
  await dialog.getByLabel('Reason').fill(kMarkup);
  await dialog.getByRole('button', { name: 'Go on' }).last().click();
  await dialog.getByRole('button', { name: 'Stop it' }).click();
  await page.locator('.switches li', { hasText: 'markup-key' }).getByText(kMarkup).waitFor();
  assert.equal(dashboard.state.breakers[0].reason, kMarkup);
  await page.locator('.switches li', { hasText: 'markup-key' }).getByRole('button', { name: 'Clear' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(dashboard.state.breakers.length, 2);
  await page.locator('.switches li', { hasText: 'markup-key' }).getByRole('button', { name: 'Clear' }).click();
  await dialog.getByRole('button', { name: 'Clear the switch' }).click();
  await page.locator('.switches li', { hasText: 'markup-key' }).waitFor({ state: 'detached' });
  await view.close();
});

test('a run is stopped from its page', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('agents/run-3e8');
  await page.getByRole('button', { name: 'Stop this run' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('too dear');
  await page.getByRole('dialog').getByRole('button', { name: 'Go on' }).last().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click();
  await page.locator('h1').getByText('stopped').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Stop this run' }).count(), 0);
  await view.close();
});

test('nothing, no such run, and a server that cannot answer are told in words', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  dashboard.state.answers.set('/runs', { body: { runs: [], next: null } });
  dashboard.state.answers.set('/audit', { body: { rows: [], next: null } });
  dashboard.state.answers.set('/breakers', { body: { breakers: [] } });
  await view.open('agents');
  await page.getByText('No agent was at work').waitFor();
  await view.open('agents?tab=anomalies');
  await page.getByText('No loop and no anomaly').waitFor();
  await view.open('agents?tab=switches');
  await page.getByText('Nothing is switched off').waitFor();
  await view.open('agents/there-is-none');
  await page.getByText('There is no such run').first().waitFor();
  const down = { status: 503, problem: true, body: { detail: 'The records cannot be read now.' } };
  dashboard.state.answers.set('/runs', down);
  await view.open('agents');
  await page.getByRole('alert').getByText('The records cannot be read now.').waitFor();
  await view.look('agents-error', { full: false });
  dashboard.state.answers.clear();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('link', { name: /run-3ea/ }).waitFor();
  await view.close();
});

test('viewers see runs and switches and are offered no change', async () => {
  const view = await browser.view(dashboard, { token: dashboard.viewer });
  const { page } = view;
  await page.goto(dashboard.url);
  await view.open('agents?tab=switches');
  await page.getByText('deletes rows').waitFor();
  assert.equal(await page.getByRole('button', { name: /Throw|Clear/ }).count(), 0);
  await view.open('agents/run-3e9');
  assert.equal(await page.getByRole('button', { name: 'Stop this run' }).count(), 0);
  await view.close();
});
