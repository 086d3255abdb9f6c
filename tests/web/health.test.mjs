// Health: the sentence, problems with what to do, providers, alerts and a test of where they are sent, reading the file again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kLooks } from './browser.mjs';
import { kMarkup } from './dashboard.mjs';
import { browser, dashboard, useDashboard } from './stage.mjs';

useDashboard({ fake: true });

const health = async () => (await fetch(`${dashboard.url}/admin/v1/health`, { headers: { authorization: 'Bearer fake-admin' } })).json();

for (const look of kLooks) {
  test(`what is wrong and what to do at ${look.width} px, ${look.dark ? 'dark' : 'light'}`, async () => {
    const view = await browser.view(dashboard, look);
    const { page } = view;
    await view.open('health');
    await page.getByText('Requests are decided, but one thing is wrong. 1 alert is firing.').waitFor();
    await page.getByText('To do:').first().waitFor();
    await page.getByText('Good to know').waitFor();
    await page.getByText('No price is known for house-model.').waitFor();
    await page.getByText('breaker open', { exact: true }).waitFor();
    await page.getByText('The file has no tier "trial" any more.').waitFor();
    await page.getByText('61% of it is the same call').waitFor();
    await view.look('health');
    await view.close();
  });
}

test('a test is sent to one target or to all, and says what came of it', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('health');
  await page.getByRole('button', { name: 'Send a test to ops' }).click();
  await page.getByText('The test arrived (200): delivered in 120 ms').waitFor();
  await page.getByRole('button', { name: 'Test all' }).click();
  await page.getByText('The test did not arrive (500)').waitFor();
  await view.look('alerts-tested', { full: false });
  dashboard.state.answers.set('/alerts/test', { status: 503, problem: true, body: { detail: 'Alerts are not running.' } });
  await page.getByRole('button', { name: 'Test all' }).click();
  await page.getByRole('alert').getByText('Alerts are not running.').waitFor();
  await view.close();
});

test('alerts that are over keep their sentence and cause, with names as text', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('health');
  await page.getByRole('button', { name: 'Over', exact: true }).click();
  await page.getByText('has outgrown its tier').first().waitFor();
  await page.getByText(kMarkup).first().waitFor();
  await view.close();
});

test('all well, going down, and no answer each have their sentence', async () => {
  const good = { ...(await health()), status: 'ok', problems: [], alerts: { firing: 0 }, overrides: { count: 0, skipped: [] } };
  dashboard.state.answers.set('/health', { body: good });
  dashboard.state.answers.set('/alerts', { body: { rules: [], alerts: [], targets: [] } });
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('health');
  await page.getByText('Everything works').waitFor();
  await page.getByText('No alert is firing').waitFor();
  await view.look('health-well');
  dashboard.state.answers.set('/health', { body: { ...good, status: 'draining' } });
  await page.getByText('This server is going down').waitFor();
  dashboard.state.answers.set('/health', { status: 503, problem: true, body: { detail: 'The server is busy.' } });
  await page.getByRole('alert').getByText('The server is busy.').waitFor();
  await view.close();
});

test('the file is read again after a question; one that is not valid leaves everything as it is', async () => {
  const view = await browser.view(dashboard, {});
  const { page } = view;
  await view.open('health');
  await page.getByRole('button', { name: 'Read the policy again' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Read it' }).click();
  await page.getByText('The file is as it was').waitFor();
  dashboard.state.answers.set('/reload', { status: 422, problem: true, body: { detail: 'The file is not valid.', diagnostics: [{ line: 7, column: 3, error: true, message: 'unknown key `limitz`' }] } });
  await page.getByRole('button', { name: 'Read the policy again' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Read it' }).click();
  await page.getByRole('dialog').getByText('unknown key `limitz`').waitFor();
  await page.getByRole('dialog').getByText('The policy that was in force stays.').waitFor();
  await view.look('reload-wrong', { full: false });
  await view.close();
});

test('viewers are offered neither tests nor the file', async () => {
  const view = await browser.view(dashboard, { token: dashboard.viewer });
  await view.page.goto(dashboard.url);
  await view.open('health');
  await view.page.getByText('Where alerts are sent').waitFor();
  assert.equal(await view.page.getByRole('button', { name: /Send a test|Test all|Read the policy again/ }).count(), 0);
  await view.close();
});
