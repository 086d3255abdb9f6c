// What an ordinary day looks like in the trade of each template of `weir init`, and what a runaway does there.
//
//   const rows = ordinaryRows('salon');          // ledger lines of one day, sorted by time
//   const wild = runawayRows('salon');           // one caller that does not stop
//   const events = agentEvents('salon');         // agent traces of the default tier, ordinary and not
//
// Numbers come from a generator with a fixed seed: the same rows every time. A group is [tier, kind, people, visits a day,
// turns a visit, seconds between turns, input tokens of the first turn, more with each turn, output tokens]; more than
// 100 turns are a job, whose calls wait for no answer. People whose kind is `visitor` come through one key of kind
// service, which names them; the others have keys of their own.
const kDay = Date.parse('2026-11-19T08:00:00Z');
const kOpenSeconds = 10 * 3600;

export const kTrades = {
  'chat-widget': {
    tenant: 'shop',
    people: [['visitor', 'visitor', 250, 1, 5, 35, 700, 350, 180], ['customer', 'visitor', 60, 2, 6, 30, 900, 400, 220]],
    runaway: { tier: 'visitor', perSecond: 2, seconds: 120, input: 900, output: 200 },
    runs: [['search_products', 'get_product'], ['lookup_order'], ['search_products', 'search_products', 'get_delivery_date']],
    denied: 'create_ticket', loop: 'lookup_order', flood: 'search_products',
  },
  'api-for-agents': {
    tenant: 'acme',
    people: [['free', 'agent', 20, 10, 8, 4, 600, 200, 120], ['pro', 'agent', 6, 20, 20, 2, 1200, 150, 200],
      ['enterprise', 'agent', 1, 40, 40, 1, 1500, 100, 200]],
    runaway: { tier: 'free', perSecond: 20, seconds: 60, input: 600, output: 100 },
    runs: [['GET /api/orders', 'GET /api/orders/17'], ['GET /api/items', 'POST /api/orders']],
    denied: 'DELETE /api/orders/17', loop: 'GET /api/orders', flood: 'POST /api/orders',
  },
  'internal-gateway': {
    tenant: 'search',
    people: [['staff', 'human', 60, 6, 8, 45, 1500, 700, 350], ['builder', 'agent', 10, 20, 15, 6, 3000, 600, 250],
      ['production', 'service', 1, 1, 3000, 7, 1200, 0, 150]],
    runaway: { tier: 'staff', perSecond: 5, seconds: 120, input: 4000, output: 500 },
    runs: [['search_wiki', 'read_page', 'read_page'], ['search_code', 'read_file', 'send_message']],
    loop: 'search_wiki', flood: 'send_message',
  },
  'mcp-guard': {
    tenant: 'acme',
    people: [['reader', 'agent', 12, 15, 8, 5, 900, 200, 150], ['writer', 'agent', 6, 15, 6, 8, 900, 200, 150],
      ['operator', 'human', 2, 6, 4, 30, 900, 200, 150]],
    runaway: { tier: 'reader', perSecond: 20, seconds: 120, input: 900, output: 100 },
    runs: [['list_contacts', 'get_contact'], ['search_files', 'read_file', 'read_file']],
    denied: 'send_email', loop: 'get_contact', flood: 'search_files',
  },
  conversational: {
    tenant: 'assistant',
    people: [['free', 'visitor', 300, 2, 8, 40, 500, 450, 300], ['plus', 'visitor', 80, 5, 14, 30, 900, 700, 450]],
    runaway: { tier: 'free', perSecond: 2, seconds: 180, input: 2000, output: 400 },
    runs: [['search_web', 'read_page'], ['get_calendar', 'book_table'], ['search_web', 'search_web', 'search_web']],
    loop: 'search_web', flood: 'send_email',
  },
  batch: {
    tenant: 'catalog',
    people: [['job', 'service', 3, 1, 2000, 1.5, 1800, 0, 250], ['bulk', 'service', 1, 1, 5000, 0.4, 2200, 0, 200]],
    runaway: { tier: 'job', perSecond: 20, seconds: 240, input: 1800, output: 300 },
    runs: [['read_item', 'write_tags'], ['read_item', 'read_image', 'write_tags']],
    loop: 'write_tags', flood: 'delete_item',
  },
  autonomous: {
    tenant: 'lab',
    people: [['probation', 'agent', 5, 12, 25, 9, 3000, 500, 300], ['trusted', 'agent', 5, 20, 40, 7, 4000, 600, 350]],
    runaway: { tier: 'probation', perSecond: 8, seconds: 120, input: 6000, output: 500 },
    runs: [['search_web', 'read_page', 'read_page', 'write_note'], ['list_files', 'read_file', 'run_tests', 'read_file', 'write_file']],
    denied: 'deploy_service', loop: 'run_tests', flood: 'send_email',
  },
  healthcare: {
    tenant: 'ward-3',
    people: [['clinician', 'human', 20, 14, 5, 30, 2500, 500, 350], ['assistant', 'agent', 4, 40, 6, 10, 4000, 300, 400],
      ['patient', 'visitor', 120, 1, 5, 40, 600, 300, 200]],
    runaway: { tier: 'patient', perSecond: 2, seconds: 120, input: 900, output: 200 },
    runs: [['get_appointments', 'request_appointment'], ['search_leaflets'], ['get_appointments', 'cancel_appointment']],
    denied: 'prescribe_medication', loop: 'get_appointments', flood: 'request_appointment',
  },
  salon: {
    tenant: 'main-street',
    people: [['guest', 'visitor', 70, 1, 6, 35, 600, 250, 120], ['staff', 'human', 3, 25, 3, 20, 700, 250, 150],
      ['manager', 'human', 1, 5, 6, 30, 900, 300, 250]],
    runaway: { tier: 'guest', perSecond: 2, seconds: 120, input: 700, output: 150 },
    runs: [['list_services', 'find_slots', 'book_appointment'], ['get_booking', 'reschedule_appointment'], ['find_slots']],
    denied: 'refund_payment', loop: 'book_appointment', flood: 'book_appointment',
  },
  saas: {
    tenant: 'acme',
    people: [['team', 'visitor', 30, 6, 6, 25, 1200, 500, 300]],
    more: [['trial', 'globex', 5, 2, 6, 25, 1000, 400, 250], ['business', 'initech', 80, 10, 8, 20, 1500, 500, 300]],
    runaway: { tier: 'trial', tenant: 'hooli', perSecond: 4, seconds: 120, input: 1500, output: 300 },
    runs: [['list_projects', 'get_project'], ['search_docs', 'get_doc', 'summarise_doc']],
    denied: 'export_all', loop: 'get_project', flood: 'create_webhook',
  },
  hospitality: {
    tenant: 'lake-hotel',
    people: [['guest', 'visitor', 180, 1, 7, 40, 800, 300, 160], ['concierge', 'agent', 1, 250, 6, 8, 1200, 250, 180],
      ['manager', 'human', 2, 12, 5, 30, 1500, 300, 250]],
    runaway: { tier: 'guest', perSecond: 2, seconds: 120, input: 1200, output: 200 },
    runs: [['search_rooms', 'get_rate', 'book_room'], ['get_reservation', 'cancel_reservation'], ['get_house_rules']],
    denied: 'refund_stay', loop: 'search_rooms', flood: 'hold_room',
  },
  'real-estate': {
    tenant: 'oak-realty',
    people: [['visitor', 'visitor', 150, 1, 6, 40, 800, 350, 200], ['realtor', 'human', 15, 12, 6, 30, 4000, 900, 500],
      ['broker', 'human', 2, 8, 6, 30, 5000, 900, 500]],
    runaway: { tier: 'visitor', perSecond: 2, seconds: 120, input: 900, output: 250 },
    runs: [['search_listings', 'get_listing', 'get_listing'], ['get_listing', 'estimate_mortgage', 'request_viewing']],
    denied: 'wire_deposit', loop: 'get_listing', flood: 'request_viewing',
  },
  'home-services': {
    tenant: 'north',
    people: [['customer', 'visitor', 110, 1, 6, 30, 600, 250, 130], ['technician', 'human', 12, 10, 3, 30, 900, 300, 180],
      ['dispatch', 'agent', 1, 150, 6, 4, 2500, 200, 200], ['office', 'human', 4, 20, 4, 30, 1500, 300, 250]],
    runaway: { tier: 'customer', perSecond: 2, seconds: 120, input: 700, output: 150 },
    runs: [['find_slots', 'book_visit'], ['request_quote'], ['get_visit', 'reschedule_visit']],
    denied: 'refund_invoice', loop: 'request_quote', flood: 'request_quote',
  },
};

// 0 to 1, from a seed; enough of chance for people's habits.
function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const row = (at, more) => ({ time: new Date(kDay + Math.round(at * 1000)).toISOString(), model: 'gpt-4o', ...more });
const sorted = (rows) => rows.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));

function crowd(rows, dice, tenant, [tier, kind, people, visits, turns, every, input, grow, output]) {
  for (let n = 0; n < people; n += 1) {
    const name = `${tier}-${n}`;
    const who = kind === 'visitor' ? { key: 'site', user: `${tenant}-${name}`, kind: 'service' } : { key: `${tenant}-${name}`, kind };
    for (let visit = 0; visit < visits; visit += 1) {
      // Visits of one caller follow one another; those of different callers fall anywhere into the day.
      let at = (kOpenSeconds / visits) * (visit + 0.8 * dice() * Number(visits > 1 || turns < 100));
      for (let turn = 0; turn < turns; turn += 1) {
        // A turn with tools takes up to three calls of the model, each with what the tool said; jobs ask once.
        const calls = turns > 100 ? 1 : 1 + Math.floor(3 * dice());
        for (let call = 0; call < calls; call += 1) {
          const tokens = Math.ceil(output * (0.4 + 1.2 * dice()));
          rows.push(row(at, { ...who, tenant, tier, conversation: `${name}-${visit}`,
            input_tokens: input + turn % 40 * grow + 200 * call, output_tokens: tokens }));
          if (turns <= 100) at += 0.8 + 0.02 * tokens;   // an agent goes on once it has the answer
        }
        at += every * (0.5 + dice());
      }
    }
  }
}

export function ordinaryRows(template) {
  const { people, more = [], tenant } = kTrades[template];
  const rows = [], dice = chance(7);
  for (const group of people) crowd(rows, dice, tenant, group);
  for (const [tier, other, ...rest] of more) crowd(rows, dice, other, [tier, 'visitor', ...rest]);
  return sorted(rows);
}

// Begins in the middle of the day, so that it meets ordinary traffic.
export function runawayRows(template) {
  const { runaway: wild, tenant, people } = kTrades[template];
  const kind = people.find(([tier]) => tier === wild.tier)?.[1] ?? 'visitor';
  const who = kind === 'visitor' ? { key: 'site', user: 'runaway', kind: 'service' } : { key: 'runaway', kind };
  return Array.from({ length: wild.perSecond * wild.seconds }, (_, i) => row(kOpenSeconds / 2 + i / wild.perSecond, {
    ...who, tenant: wild.tenant ?? tenant, tier: wild.tier, conversation: 'runaway', input_tokens: wild.input, output_tokens: wild.output }));
}

// One run: a call of the model before each tool, and one that says what came of it.
function run(trace, tenant, tools, args = (i) => `${trace}-${i}`) {
  const events = [];
  const add = (event) => events.push({ trace, step: events.length, ...event });
  tools.forEach((tool, i) => {
    add({ kind: 'llm_call', in_tok: 600 + 150 * i, out_tok: 60, tool_calls: 1, key: trace, tenant, agent: 'assistant', model: 'gpt-4o' });
    add({ kind: 'tool_call', tool, args_hash: args(i), dest_new: null });
    add({ kind: 'tool_result', tool, error: 0, result_hash: `r-${trace}-${i}` });
  });
  add({ kind: 'llm_call', in_tok: 900, out_tok: 90, tool_calls: 0 });
  return events;
}

// Traces `run-0` to `run-39`: ordinary runs, each of a caller of its own; `loop`: the same call over and over; `flood`: one
// tool with ever new arguments; `denied`: a tool that the default tier may not use (none, where it may use all).
export function agentEvents(template) {
  const { runs, loop, flood, denied, tenant } = kTrades[template];
  return [
    ...Array.from({ length: 40 }, (_, n) => run(`run-${n}`, tenant, runs[n % runs.length])).flat(),
    ...run('loop', tenant, Array(12).fill(loop), () => 'the same'),
    ...run('flood', tenant, Array(400).fill(flood)),
    ...(denied ? run('denied', tenant, [denied]) : []),
  ];
}
