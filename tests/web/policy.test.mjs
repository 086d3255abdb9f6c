// Policy: limits in words and how full they are, edits with checks and conflicts, overrides taken away, changes, shadow limits,
// drafts that are checked, replayed and put in force.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { kMarkup } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard({ fake: true });

const limit = (page, name) => page.locator('.limit', { has: page.locator('b', { hasText: new RegExp(`^${name}$`) }) });
const draft = (page) => page.getByRole('textbox', { name: 'Draft of the policy' });
// As somebody else with a token would.
const put = (where, body) => fetch(`${dashboard.url}/admin/v1${where}`, { method: 'PUT', headers: { authorization: 'Bearer fake-admin', 'content-type': 'application/json' }, body: JSON.stringify(body) });

for (const look of kLooks) {
  test(`every part of the policy at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('policy');
    await limit(page, 'spend').locator('summary').click();
    await limit(page, 'spend').getByText(kMarkup).waitFor();
    await view.look('policy');
    for (const [tab, wait] of [['tiers', 'tools denied'], ['changes', 'limits put'], ['shadow', 'would have refused 412'], ['what-if', 'Valid'], ['file', 'In words']]) {
      await view.open(`policy?tab=${tab}`);
      await page.getByText(wait).first().waitFor();
      await view.look(`policy-${tab}`, { full: tab !== 'changes' });
    }
    await view.close();
  });
}

test('a limit is edited: checked while one types, refused where it is wrong, and in force with a badge', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy');
  await page.getByRole('button', { name: 'Edit requests' }).click();
  const dialog = page.getByRole('dialog');
  const save = dialog.locator('footer').getByRole('button', { name: 'Save' });
  assert.ok(await save.isDisabled());
  await dialog.getByLabel('Tier pro').fill('lots');
  await dialog.getByText('"lots" is no amount').waitFor();
  assert.ok(await save.isDisabled());
  await view.look('edit-limit', { full: false });
  await dialog.getByLabel('Tier pro').fill('240/1m, 9000/1h');
  await dialog.getByText('Valid:').waitFor();
  await dialog.getByLabel('Mode').selectOption('shadow');
  await dialog.getByText('Valid:').waitFor();
  await save.click();
  await limit(page, 'requests').getByText('changed here').waitFor();
  await limit(page, 'requests').getByText('shadow').waitFor();
  const { value } = dashboard.state.steer.overrides.get('limit requests');
  assert.deepEqual(value, { allow: { free: ['20/1m'], pro: ['240/1m', '9000/1h'], enterprise: ['2000/1m'], internal: ['600/1m'] }, mode: 'shadow' });
  await view.close();
});

test('what was put over the file before stays when something else is edited', async () => {
  await put('/limits/requests', { mode: 'shadow' });
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy');
  await page.getByRole('button', { name: 'Edit requests' }).click();
  await page.getByRole('dialog').getByLabel('When counters fail').selectOption('open');
  await page.getByRole('dialog').getByText('Valid:').waitFor();
  await page.getByRole('dialog').locator('footer').getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.deepEqual(dashboard.state.steer.overrides.get('limit requests').value, { mode: 'shadow', fail: 'open' });
  await view.close();
});

test('whoever saves second sees what the first one changed, and decides', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy');
  await page.getByRole('button', { name: 'Edit tokens' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Tier pro').fill('300k/1m');
  await put('/limits/tokens', { allow: { pro: ['1k/1m'] } });
  await dialog.getByText('Valid:').waitFor();
  await dialog.locator('footer').getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('was changed by somebody else').waitFor();
  assert.match(await dialog.innerText(), /200000\/1m[\s\S]*1k\/1m[\s\S]*300k\/1m/);
  await view.look('limit-conflict', { full: false });
  await dialog.getByRole('button', { name: 'Save mine over theirs' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.deepEqual(dashboard.state.steer.overrides.get('limit tokens').value.allow.pro, ['300k/1m']);
  await view.close();
});

test('a tier\'s amount is edited, and the change taken away again', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=tiers');
  await page.getByRole('button', { name: 'Edit tier pro' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('requests').fill('500/1m');
  await dialog.getByText('Valid:').waitFor();
  await view.look('edit-tier', { full: false });
  await dialog.locator('footer').getByRole('button', { name: 'Save' }).click();
  await page.getByText('500/1m').waitFor();
  assert.deepEqual(dashboard.state.steer.overrides.get('tier pro').value, { amounts: { requests: ['500/1m'] } });
  await page.getByRole('button', { name: 'Take away' }).click();
  await dialog.getByRole('button', { name: 'Take away' }).click();
  await page.getByText('500/1m').waitFor({ state: 'detached' });
  await view.open('policy');
  await limit(page, 'tokens').getByRole('button', { name: 'Take away' }).click();
  await dialog.getByRole('button', { name: 'Take away' }).click();
  await page.getByText('Everything is as in the file').waitFor();
  await view.close();
});

test('a draft is checked with lines to go to, replayed with progress, compared and put in force', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=what-if');
  const text = await draft(page).inputValue();
  await draft(page).fill(text.replace('meter: tokens', 'meter: bogus'));
  await page.getByText('Not valid: 1 fault').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Replay it' }).isDisabled());
  await view.look('draft-wrong', { full: false });
  await page.getByRole('button', { name: /^line / }).click();
  const chosen = await draft(page).evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
  assert.match(chosen, /^bogus/);
  await draft(page).fill(text.replace('pro: 120/1m', 'pro: 60/1m'));
  await page.getByText('1 line changed').waitFor();
  await page.getByText('Valid', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Replay it' }).click();
  await page.getByRole('progressbar').waitFor();
  await page.getByText('The draft refuses 1,203 more of 91,022 requests.').waitFor();
  await page.getByText(/^91,022 requests, \d+ \w{3}( \d{4})?, \d\d:\d\d to \d+ \w{3}( \d{4})?, \d\d:\d\d$/).waitFor();
  await view.look('what-if-result');
  // It outlives a look elsewhere.
  await view.open('health');
  await view.open('policy?tab=what-if');
  await page.getByText('1 line changed').waitFor();
  await page.getByText('The draft refuses').waitFor();
  await page.getByRole('button', { name: 'Put in force' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Put in force' }).click();
  await page.getByText('In force: limit requests').waitFor();
  await view.open('policy?tab=changes');
  await page.locator('.changes li').first().getByText('requests').waitFor();
  await view.close();
});

test('a draft cannot overwrite what somebody changed meanwhile', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=what-if');
  await draft(page).fill((await draft(page).inputValue()).replace('pro: 120/1m', 'pro: 60/1m'));
  await page.getByText('Valid', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Put in force' }).click();
  await put('/limits/spend', { mode: 'shadow' });
  await page.getByText('The policy was changed since you began this draft').first().waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Put in force' }).click();
  await page.getByRole('dialog').getByRole('alert').getByText('nothing of yours was put in force').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Begin again from what holds now' }).click();
  assert.match(await draft(page).inputValue(), /mode: shadow/);
  await view.close();
});

test('a second replay, one that fails, and one that is gone are told in words', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('policy?tab=what-if');
  const text = await draft(page).inputValue();
  dashboard.state.whatIf.set('theirs', { at: Date.now() + 60_000 });   // not over before the click, however late it comes
  await page.getByRole('button', { name: 'Replay it' }).click();
  await page.getByRole('alert').getByText('Another replay is running').waitFor();
  dashboard.state.whatIf.clear();
  await draft(page).fill(`${text}# odd\n`);
  await page.getByText('Valid, with 1 warning').waitFor();
  await page.getByRole('button', { name: 'Replay it' }).click();
  await page.getByRole('alert').getByText('could not be read').waitFor();
  await draft(page).fill(text);
  await page.getByText('as in force').waitFor();
  dashboard.state.whatIf.clear();
  await page.getByRole('button', { name: 'Replay it' }).click();
  await page.getByText('The draft decides as the policy in force does.').waitFor();
  await view.close();
});

test('exports come as files; viewers may look, check and replay, and are offered no change', async () => {
  const view = await browser.view(dashboard, { token: dashboard.viewer });
  const { page } = view;
  await page.goto(dashboard.url);
  await view.open('policy');
  await limit(page, 'tokens').waitFor();
  assert.equal(await page.getByRole('button', { name: /Edit|Take away/ }).count(), 0);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export changes only' }).click()]);
  assert.equal(file.suggestedFilename(), 'weir-changes.yaml');
  assert.match(await readFile(await file.path(), 'utf8'), /limits:/);
  await view.open('policy?tab=what-if');
  await page.getByRole('button', { name: 'Replay it' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Put in force' }).count(), 0);
  await view.close();
});

test('nothing and errors are told in words', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  dashboard.state.answers.set('/policy/shadow', { body: { limits: [] } });
  dashboard.state.answers.set('/policy/changes', { body: { changes: [], next: null } });
  dashboard.state.answers.set('/limits', { status: 503, problem: true, body: { detail: 'The server is busy.' } });
  await view.open('policy');
  await page.getByRole('alert').getByText('The server is busy.').waitFor();
  await view.open('policy?tab=shadow');
  await page.getByText('No shadow limit would have refused anything').waitFor();
  await view.open('policy?tab=changes');
  await page.getByText('Nothing was changed in this time').waitFor();
  await view.close();
});
