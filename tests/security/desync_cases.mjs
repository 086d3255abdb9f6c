// What attackers send to make two HTTP parsers disagree, as data.
//
//   for (const [name, expected, bytes] of kRequestCases) bytes({ path, auth, smuggled })
//
// auth: the lines Host and Authorization. smuggled: a whole request that must never be taken for one where the attack's own
// request should have ended elsewhere. expected, when Weir reads the bytes itself:
//   refused   4xx or 5xx, and the connection is closed
//   one       exactly one request is forwarded (and charged), whatever it looks like
//   none      answered here without forwarding, not charged; the connection may go on
// What reaches the back end is checked by the back end's own strict reader in any case.
const post = (c, fields, body) => `POST ${c.path} HTTP/1.1\r\n${c.auth}${fields}\r\n${body}`;
const get = (c, target, fields = '') => `GET ${target} HTTP/1.1\r\n${c.auth}${fields}\r\n`;
const kChunked = 'Transfer-Encoding: chunked\r\n';
const length = (body) => `Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n`;
const chunk = (body) => `${body.length.toString(16)}\r\n${body}\r\n`;

// Content-Length and Transfer-Encoding together, each side hoping that the next looks at the other one.
const kBoth = [
  ['CL.TE', 'refused', (c) => post(c, `${length(`0\r\n\r\n${c.smuggled}`)}${kChunked}`, `0\r\n\r\n${c.smuggled}`)],
  ['TE.CL', 'refused', (c) => post(c, `${kChunked}Content-Length: 4\r\n`, `${chunk(c.smuggled)}0\r\n\r\n`)],
  ['CL.TE, length 0', 'refused', (c) => post(c, `Content-Length: 0\r\n${kChunked}`, `${chunk(c.smuggled)}0\r\n\r\n`)],
  ['TE.CL, GET', 'refused', (c) => get(c, c.path, `${kChunked}Content-Length: 5\r\n`) + `0\r\n\r\n${c.smuggled}`],
  ['HTTP/1.0 with TE', 'refused', (c) => `POST ${c.path} HTTP/1.0\r\n${c.auth}${kChunked}\r\n0\r\n\r\n${c.smuggled}`],
  ['HTTP/1.0 with TE and CL', 'refused', (c) => `POST ${c.path} HTTP/1.0\r\n${c.auth}Content-Length: 5\r\n${kChunked}\r\n0\r\n\r\n${c.smuggled}`],
];

// One side is to take the field for Transfer-Encoding: chunked, the other not. `line` stands in the place of the field.
const kObfuscations = [
  ['xchunked', 'Transfer-Encoding: xchunked\r\n'], ['identity', 'Transfer-Encoding: identity\r\n'],
  ['chunked, identity', 'Transfer-Encoding: chunked, identity\r\n'], ['identity, chunked', 'Transfer-Encoding: identity, chunked\r\n'],
  ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n'], ['chunked, chunked', 'Transfer-Encoding: chunked, chunked\r\n'],
  ['trailing comma', 'Transfer-Encoding: chunked,\r\n'], ['leading comma', 'Transfer-Encoding: ,chunked\r\n'],
  ['parameter', 'Transfer-Encoding: chunked;q=1\r\n'], ['quoted', 'Transfer-Encoding: "chunked"\r\n'], ['empty', 'Transfer-Encoding:\r\n'],
  ['two fields', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
  ['two fields, x', 'Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n'],
  ['two fields, identity first', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'],
  ['space before the colon', 'Transfer-Encoding : chunked\r\n'], ['tab before the colon', 'Transfer-Encoding\t: chunked\r\n'],
  ['space before the name', ' Transfer-Encoding: chunked\r\n'], ['tab before the name', '\tTransfer-Encoding: chunked\r\n'],
  ['folded onto another field', 'X: y\r\n Transfer-Encoding: chunked\r\n'], ['folded value', 'Transfer-Encoding:\r\n chunked\r\n'],
  ['line feed before the value', 'Transfer-Encoding:\n chunked\r\n'], ['line feed before the colon', 'Transfer-Encoding\n: chunked\r\n'],
  ['hidden behind a line feed', 'X: y\nTransfer-Encoding: chunked\r\n'], ['hidden behind a carriage return', 'X: y\rTransfer-Encoding: chunked\r\n'],
  ['vertical tab', 'Transfer-Encoding: \x0bchunked\r\n'], ['form feed', 'Transfer-Encoding: \x0cchunked\r\n'],
  ['vertical tab behind', 'Transfer-Encoding: chunked\x0b\r\n'], ['NUL', 'Transfer-Encoding: \0chunked\r\n'],
  ['NUL in the name', 'Transfer-Encoding\0: chunked\r\n'], ['NUL behind', 'Transfer-Encoding: chunked\0x\r\n'],
  ['carriage return behind', 'Transfer-Encoding: chunked\r\r\n'], ['no-break space', 'Transfer-Encoding: \xa0chunked\r\n'],
  ['no-break space in the name', 'Transfer-Encoding\xa0: chunked\r\n'], ['umlaut', 'Transfer-Encoding: ch\xfcnked\r\n'],
  ['semicolon in the name', 'Transfer-Encoding;: chunked\r\n'], ['backspace in the name', 'Transfer\x08-Encoding: chunked\r\n'],
].flatMap(([name, line]) => [
  [`TE.TE ${name}`, 'refused', (c) => post(c, `${length(`0\r\n\r\n${c.smuggled}`)}${line}`, `0\r\n\r\n${c.smuggled}`)],
  [`TE.TE ${name}, without a length`, 'refused', (c) => post(c, line, `0\r\n\r\n${c.smuggled}`)],
]);

const kTeOthers = [
  ['TE upper case', 'one', (c) => post(c, 'TRANSFER-ENCODING: CHUNKED\r\n', `${chunk(c.smuggled)}0\r\n\r\n`)],
  ['TE without a space', 'one', (c) => post(c, 'Transfer-Encoding:chunked\r\n', '0\r\n\r\n')],
  ['TE in tabs', 'one', (c) => post(c, 'Transfer-Encoding:\t chunked\t \r\n', '0\r\n\r\n')],
  ['underscore instead of the dash', 'one', (c) => post(c, `${length(`0\r\n\r\n${c.smuggled}`)}Transfer_Encoding: chunked\r\n`, `0\r\n\r\n${c.smuggled}`)],
  ['X-Transfer-Encoding', 'one', (c) => post(c, `${length(`0\r\n\r\n${c.smuggled}`)}X-Transfer-Encoding: chunked\r\n`, `0\r\n\r\n${c.smuggled}`)],
];

const kLengths = ['+5', '-5', '5abc', '0x5', '5 5', '5, 5', '5,6', '5.0', '5e0', '', '\x0b5', '5\0', '5\x0c', '\xa05', '\xb2', '0x', '5;x', '"5"']
  .map((value) => [`Content-Length: ${JSON.stringify(value)}`, 'refused', (c) => post(c, `Content-Length: ${value}\r\n`, `hello${c.smuggled}`)]);

const kLengthOthers = [
  ['two equal lengths', 'refused', (c) => post(c, 'Content-Length: 5\r\nContent-Length: 5\r\n', `hello${c.smuggled}`)],
  ['two lengths', 'refused', (c) => post(c, `Content-Length: 5\r\nContent-length: ${5 + c.smuggled.length}\r\n`, `hello${c.smuggled}`)],
  ['two lengths, 0 first', 'refused', (c) => post(c, `Content-Length: 0\r\n${length(c.smuggled)}`, c.smuggled)],
  ['space before the colon of the length', 'refused', (c) => post(c, `Content-Length : ${c.smuggled.length}\r\n`, c.smuggled)],
  ['folded length', 'refused', (c) => post(c, `Content-Length:\r\n ${c.smuggled.length}\r\n`, c.smuggled)],
  ['length beyond 64 bits', 'refused', (c) => post(c, 'Content-Length: 18446744073709551621\r\n', `hello${c.smuggled}`)],
  ['length of 63 bits', 'refused', (c) => post(c, 'Content-Length: 9223372036854775807\r\n', `hello${c.smuggled}`)],
  ['length beyond 32 bits', 'refused', (c) => post(c, 'Content-Length: 4294967301\r\n', `hello${c.smuggled}`)],
  ['leading zeros', 'one', (c) => post(c, `Content-Length: 000${c.smuggled.length}\r\n`, c.smuggled)],
  ['Content_Length beside it', 'one', (c) => post(c, `Content-Length: ${c.smuggled.length}\r\nContent_Length: 0\r\n`, c.smuggled)],
  ['GET with a body', 'one', (c) => get(c, c.path, length(c.smuggled)) + c.smuggled],
  ['a request as body', 'one', (c) => post(c, length(c.smuggled), c.smuggled)],
];

const kLines = [
  ['line feed after the request line', 'refused', (c) => `GET ${c.path} HTTP/1.1\n${c.auth}\r\n${c.smuggled}`],
  ['line feed after a field', 'refused', (c) => get(c, c.path, 'X: y\n') + c.smuggled],
  ['line feed ends the head', 'refused', (c) => `GET ${c.path} HTTP/1.1\r\n${c.auth}\n${c.smuggled}`],
  ['line feeds only', 'refused', (c) => `${get(c, c.path)}`.replaceAll('\r', '') + c.smuggled],
  ['carriage returns only', 'refused', (c) => `${`${get(c, c.path)}`.replaceAll('\n', '')}\r\n\r\n${c.smuggled}`],
  ['two carriage returns', 'refused', (c) => get(c, c.path, 'X: y\r\r\n') + c.smuggled],
  ['carriage return in a value', 'refused', (c) => get(c, c.path, `X: y\r${c.smuggled.slice(0, 20).replaceAll('\r\n', ' ')}\r\n`)],
  ['line feed and a field in a value', 'refused', (c) => get(c, c.path, 'X: y\nX-Weir-User: boss\r\n') + c.smuggled],
  ['NUL in a value', 'refused', (c) => get(c, c.path, 'X: a\0b\r\n') + c.smuggled],
  ['folded line', 'refused', (c) => get(c, c.path, 'X: y\r\n z\r\n') + c.smuggled],
  ['folded first line', 'refused', (c) => `GET ${c.path} HTTP/1.1\r\n X: y\r\n${c.auth}\r\n${c.smuggled}`],
  ['a field without a name', 'refused', (c) => get(c, c.path, ': y\r\n') + c.smuggled],
  ['a field without a colon', 'refused', (c) => get(c, c.path, 'X\r\n') + c.smuggled],
  ['201 fields', 'refused', (c) => get(c, c.path, 'X: y\r\n'.repeat(201)) + c.smuggled],
  ['40 KB of head', 'refused', (c) => get(c, c.path, `X: ${'y'.repeat(40_000)}\r\n`) + c.smuggled],
  ['three empty lines before it', 'refused', (c) => `\r\n\r\n\r\n${get(c, c.path)}${c.smuggled}`],
  ['two empty lines before it', 'one', (c) => `\r\n\r\n${get(c, c.path)}`],
];

const chunked = (name, expected, body) => [`chunks: ${name}`, expected, (c) => post(c, kChunked, body(c))];
const kChunks = [
  ...['0x5', '+5', '-5', ' 5', '5 ', '5\t', '\t5', '5_', 'g', '', '5,', '5.', '5\0', '5\x0b', '\xb2', '5;', '5;=', '5;a=', '5; a=b', '5;a =b', '5;a="b', '5;a="\x01"', '5;a=b c', '5\r', '5:a']
    .map((size) => chunked(`size ${JSON.stringify(size)}`, 'refused', (c) => `${size}\r\nhello\r\n0\r\n\r\n${c.smuggled}`)),
  chunked('size of 65 bits', 'refused', (c) => `10000000000000005\r\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('size of 64 bits', 'refused', (c) => `FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('size beyond 32 bits', 'refused', (c) => `100000005\r\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('300 bytes of extension', 'refused', (c) => `5;a=${'b'.repeat(300)}\r\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('many extensions', 'refused', (c) => `${`1;a=${'b'.repeat(200)}\r\nx\r\n`.repeat(50)}0\r\n\r\n${c.smuggled}`),
  chunked('extension with a line feed', 'refused', (c) => `5;a=b\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('extension with CRLF in quotes', 'refused', (c) => `5;a="b\r\n${c.smuggled}"\r\nhello\r\n0\r\n\r\n`),
  chunked('line feed after the size', 'refused', (c) => `5\nhello\r\n0\r\n\r\n${c.smuggled}`),
  chunked('line feed after the data', 'refused', (c) => `5\r\nhello\n0\r\n\r\n${c.smuggled}`),
  chunked('no CRLF after the data', 'refused', (c) => `5\r\nhello0\r\n\r\n${c.smuggled}`),
  chunked('another byte for the carriage return', 'refused', (c) => `5\r\nhelloX\n0\r\n\r\n${c.smuggled}`),
  chunked('another byte for the line feed', 'refused', (c) => `5\r\nhello\rX0\r\n\r\n${c.smuggled}`),
  chunked('longer than its size', 'refused', (c) => `5\r\nhelloXX\r\n0\r\n\r\n${c.smuggled}`),
  chunked('line feed ends the body', 'refused', (c) => `5\r\nhello\r\n0\r\n\n${c.smuggled}`),
  chunked('last chunk with a line feed', 'refused', (c) => `5\r\nhello\r\n0\n\r\n${c.smuggled}`),
  chunked('trailer with a line feed', 'refused', (c) => `0\r\nX: y\n\r\n${c.smuggled}`),
  chunked('folded trailer', 'refused', (c) => `0\r\nX: y\r\n z\r\n\r\n${c.smuggled}`),
  chunked('trailer without a colon', 'refused', (c) => `0\r\nX\r\n\r\n${c.smuggled}`),
  chunked('NUL in a trailer', 'refused', (c) => `0\r\nX: \0\r\n\r\n${c.smuggled}`),
  chunked('10 KB of trailers', 'refused', (c) => `0\r\nX: ${'y'.repeat(10_000)}\r\n\r\n${c.smuggled}`),
  chunked('a request as trailer', 'refused', (c) => `0\r\n${c.smuggled}`),
  chunked('leading zeros', 'one', () => '0000000000000005\r\nhello\r\n000\r\n\r\n'),
  chunked('well-formed extensions', 'one', () => '5;a;b=c;d="e;\\"f"\r\nhello\r\n0;x=y\r\n\r\n'),
  chunked('a request as chunk', 'one', (c) => `${chunk(c.smuggled)}0\r\n\r\n`),
  chunked('trailers that are not for trailers', 'one', () => '5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: Bearer evil\r\nX-Weir-User: boss\r\n\r\n'),
];

const raw = (name, expected, bytes) => [name, expected, bytes];
const withHost = (c, target, host) => `GET ${target} HTTP/1.1\r\n${host}${c.auth.replace(/^Host:.*\r\n/, '')}\r\n`;
const kTargets = [
  raw('absolute target', 'one', (c) => get(c, `http://weir${c.path}`)),
  raw('absolute target, another host than Host', 'refused', (c) => get(c, `http://evil.example${c.path}`) + c.smuggled),
  raw('absolute target with a user', 'refused', (c) => get(c, `http://weir@evil.example${c.path}`) + c.smuggled),
  raw('absolute target, a user that looks like the host', 'refused', (c) => get(c, `http://weir:80@evil.example${c.path}`) + c.smuggled),
  raw('absolute target with another scheme', 'refused', (c) => get(c, `file://weir${c.path}`) + c.smuggled),
  raw('target of two slashes', 'none', (c) => get(c, `//evil.example${c.path}`)),
  raw('target without a slash', 'refused', (c) => get(c, `evil.example${c.path}`) + c.smuggled),
  raw('backslashes', 'refused', (c) => get(c, `\\\\evil.example${c.path}`) + c.smuggled),
  raw('a user as path', 'refused', (c) => get(c, `@evil.example${c.path}`) + c.smuggled),
  raw('fragment', 'refused', (c) => get(c, `${c.path}#x`) + c.smuggled),
  raw('space in the target', 'refused', (c) => get(c, `${c.path} x`) + c.smuggled),
  raw('control character in the target', 'refused', (c) => get(c, `${c.path}\x01`) + c.smuggled),
  raw('encoded CRLF in the path', 'one', (c) => get(c, `${c.path}%0d%0aX-Evil:%20y`)),
  raw('encoded CRLF in the query', 'one', (c) => get(c, `${c.path}?a=%0d%0a%0d%0aGET%20/evil%20HTTP/1.1`)),
  raw('CONNECT', 'refused', (c) => `CONNECT evil.example:443 HTTP/1.1\r\n${c.auth}\r\n${c.smuggled}`),
  raw('asterisk', 'none', (c) => `OPTIONS * HTTP/1.1\r\n${c.auth}\r\n`),
  raw('HTTP/2 preface', 'refused', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
  raw('HTTP/0.9', 'refused', (c) => `GET ${c.path}\r\n${c.smuggled}`),
  raw('HTTP/1.2', 'refused', (c) => `GET ${c.path} HTTP/1.2\r\n${c.auth}\r\n${c.smuggled}`),
  raw('version in lower case', 'refused', (c) => `GET ${c.path} http/1.1\r\n${c.auth}\r\n${c.smuggled}`),
  raw('method with a control character', 'refused', (c) => `GE\x01T ${c.path} HTTP/1.1\r\n${c.auth}\r\n${c.smuggled}`),
  raw('space before the method', 'refused', (c) => ` ${get(c, c.path)}${c.smuggled}`),
  raw('tabs in the request line', 'refused', (c) => `GET\t${c.path}\tHTTP/1.1\r\n${c.auth}\r\n${c.smuggled}`),
  raw('no Host', 'refused', (c) => withHost(c, c.path, '') + c.smuggled),
  raw('two Hosts', 'refused', (c) => withHost(c, c.path, 'Host: weir\r\nHost: evil.example\r\n') + c.smuggled),
  raw('two equal Hosts', 'refused', (c) => withHost(c, c.path, 'Host: weir\r\nHOST: weir\r\n') + c.smuggled),
  raw('Host with a path', 'refused', (c) => withHost(c, c.path, 'Host: weir/evil\r\n') + c.smuggled),
  raw('Host with a user', 'refused', (c) => withHost(c, c.path, 'Host: weir@evil.example\r\n') + c.smuggled),
  raw('space before the colon of Host', 'refused', (c) => withHost(c, c.path, 'Host : weir\r\n') + c.smuggled),
  raw('folded Host', 'refused', (c) => withHost(c, c.path, 'Host: weir\r\n evil.example\r\n') + c.smuggled),
  raw('HTTP/1.0 with keep-alive', 'one', (c) => `GET ${c.path} HTTP/1.0\r\n${c.auth}Connection: keep-alive\r\n\r\n`),
];

const kConnection = [
  raw('Connection names what must stay', 'one', (c) => post(c, `Connection: host, content-length, transfer-encoding, authorization, keep-alive\r\n${length(c.smuggled)}`, c.smuggled)),
  raw('Connection names the coding', 'one', (c) => post(c, `Connection: Transfer-Encoding\r\n${kChunked}`, `${chunk(c.smuggled)}0\r\n\r\n`)),
  raw('Connection that is no list', 'refused', (c) => get(c, c.path, 'Connection: close; x\r\n') + c.smuggled),
  raw('Upgrade: h2c', 'one', (c) => get(c, c.path, 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n')),
  raw('Upgrade: websocket', 'one', (c) => get(c, c.path, 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n')),
  raw('Expect: 100-continue', 'one', (c) => post(c, `Expect: 100-continue\r\n${length(c.smuggled)}`, c.smuggled)),
  raw('Expect: 100-continue and chunks', 'one', (c) => post(c, `Expect: 100-continue\r\n${kChunked}`, `${chunk(c.smuggled)}0\r\n\r\n`)),
  raw('Expect: anything else', 'refused', (c) => post(c, `Expect: 200-ok\r\n${length(c.smuggled)}`, c.smuggled)),
  raw('a body for a path that is not served', 'none', (c) => `POST /nowhere HTTP/1.1\r\n${c.auth}${length(c.smuggled)}\r\n${c.smuggled}`),
  raw('a body with a key that is not known', 'none', (c) => `POST ${c.path} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer weir_nobody\r\n${length(c.smuggled)}\r\n${c.smuggled}`),
  raw('chunks with a key that is not known', 'refused', (c) => `POST ${c.path} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer weir_nobody\r\n${kChunked}\r\n${chunk(c.smuggled)}0\r\n\r\n`),
  raw('a body with dots in its path', 'none', (c) => `POST ${c.path}/../x HTTP/1.1\r\n${c.auth}${length(c.smuggled)}\r\n${c.smuggled}`),
  raw('encoded dots in its path', 'none', (c) => `POST ${c.path}/%2e%2E/x HTTP/1.1\r\n${c.auth}${length(c.smuggled)}\r\n${c.smuggled}`),
];

export const kRequestCases = [...kBoth, ...kObfuscations, ...kTeOthers, ...kLengths, ...kLengthOthers, ...kLines, ...kChunks, ...kTargets,
  ...kConnection];

const ok = (fields, body = '') => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
const kEvil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Evil: yes\r\n\r\nevil';

// What a hostile or broken upstream answers: [name, statuses the client may get, bytes, method]. status 0: the answer began and
// its connection is closed before it is complete. Whatever comes behind an answer reaches nobody.
export const kAnswerCases = [
  ['CL and TE', [502], ok(`Content-Length: 5\r\n${kChunked}`, `0\r\n\r\n${kEvil}`)],
  ['TE and CL', [502], ok(`${kChunked}Content-Length: ${kEvil.length}\r\n`, `0\r\n\r\n${kEvil}`)],
  ['two lengths', [502], ok('Content-Length: 5\r\nContent-Length: 6\r\n', `hello${kEvil}`)],
  ['two equal lengths', [502], ok('Content-Length: 5\r\nContent-Length: 5\r\n', `hello${kEvil}`)],
  ...['+5', '-5', '5abc', '0x5', '5, 5', '', '99999999999999999999', '9223372036854775807'].map((value) => [`length ${JSON.stringify(value)}`, [502], ok(`Content-Length: ${value}\r\n`, `hello${kEvil}`)]),
  ...['xchunked', 'identity', 'gzip, chunked', 'chunked, chunked', 'chunked;a=b', ''].map((value) => [`coding ${JSON.stringify(value)}`, [502], ok(`Transfer-Encoding: ${value}\r\n`, `0\r\n\r\n${kEvil}`)]),
  ['space before the colon', [502], ok('Content-Length : 5\r\n', `hello${kEvil}`)],
  ['line feed in the head', [502], ok('X: y\nContent-Length: 5\r\n', `hello${kEvil}`)],
  ['folded line', [502], ok('X: y\r\n z\r\nContent-Length: 5\r\n', `hello${kEvil}`)],
  ['carriage return in a value', [502], ok('X: y\rSet-Cookie: a=b\r\nContent-Length: 5\r\n', `hello${kEvil}`)],
  ['NUL in a value', [502], ok('X: \0\r\nContent-Length: 5\r\n', `hello${kEvil}`)],
  ['a line feed ends the head', [502], `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\n${kEvil}`],
  ['TE in HTTP/1.0', [502], `HTTP/1.0 200 OK\r\n${kChunked}\r\n0\r\n\r\n${kEvil}`],
  ['four digits of status', [502], `HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello${kEvil}`],
  ['status 099', [502], `HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello${kEvil}`],
  ['HTTP/2', [502], `HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello${kEvil}`],
  ['ICY', [502], `ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello${kEvil}`],
  ['an interim answer that never ends', [502], `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(17)}${kEvil}`],
  ['interim answers, then the real one', [200], `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 900\r\n\r\n'.repeat(16)}${ok('Content-Length: 2\r\n', 'ok')}${kEvil}`],
  ['101 that nobody asked for', [502], `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${kEvil}`],
  ['204 with a length', [204], `HTTP/1.1 204 No Content\r\nContent-Length: ${kEvil.length}\r\n\r\n${kEvil}`],
  ['204 with chunks', [204], `HTTP/1.1 204 No Content\r\n${kChunked}\r\n${chunk(kEvil)}0\r\n\r\n`],
  ['304 with a body', [304], `HTTP/1.1 304 Not Modified\r\nContent-Length: ${kEvil.length}\r\n\r\n${kEvil}`],
  ['HEAD with a body', [200], ok(`Content-Length: ${kEvil.length}\r\n`, kEvil), 'HEAD'],
  ['HEAD with chunks', [200], ok(kChunked, `${chunk(kEvil)}0\r\n\r\n`), 'HEAD'],
  ['a second answer behind the first', [200], `${ok('Content-Length: 2\r\n', 'ok')}${kEvil}`],
  ['a second answer a moment later', [200], [ok('Content-Length: 2\r\n', 'ok'), kEvil]],
  ['a second answer behind chunks', [200], ok(kChunked, `2\r\nok\r\n0\r\n\r\n${kEvil}`)],
  ['an answer in the place of a body', [200], `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${kEvil}`],
  ['head split by an empty line', [200], `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n\r\nSet-Cookie: a=b\r\n\r\n${kEvil}`],
  ['trailers', [200], ok(kChunked, `2\r\nok\r\n0\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\nX-Evil: yes\r\n\r\n${kEvil}`)],
  ['chunk size that is none', [200, 0, 502], ok(kChunked, `2\r\nok\r\n0x5\r\nhello\r\n0\r\n\r\n${kEvil}`)],
  ['chunk size of 65 bits', [200, 0, 502], ok(kChunked, `2\r\nok\r\n10000000000000005\r\nhello\r\n0\r\n\r\n${kEvil}`)],
  ['chunk without CRLF', [200, 0, 502], ok(kChunked, `2\r\nokXX\r\n0\r\n\r\n${kEvil}`)],
  ['chunk line feed', [200, 0, 502], ok(kChunked, `2\nok\r\n0\r\n\r\n${kEvil}`)],
  ['80 KB of head', [502], ok(`X: ${'y'.repeat(80_000)}\r\nContent-Length: 2\r\n`, 'ok')],
  ['201 fields', [502], ok(`${'X: y\r\n'.repeat(201)}Content-Length: 2\r\n`, 'ok')],
  ["Weir's own fields", [200], ok('X-Weir-Request-Id: evil\r\nX-Weir-Cost-Usd: 0\r\nRateLimit: evil\r\nRateLimit-Policy: evil\r\nContent-Length: 2\r\n', 'ok')],
];
