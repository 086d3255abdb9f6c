// Certificates for tests, made with the openssl command in a folder of their own.
//
//   const folder = await mkdtemp(…);
//   const ca = authority(folder, 'ca');                                   // {file, pem}
//   const pair = certificate(folder, 'server', { ca, names: 'DNS:localhost,IP:127.0.0.1' });   // {cert, key}: files
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const kCurve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(folder, ...args) { return execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', encoding: 'utf8' }); }

export function authority(folder, name) {
  openssl(folder, 'req', '-x509', ...kCurve, '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  const file = path.join(folder, `${name}.pem`);
  return { name, file, pem: readFileSync(file, 'utf8') };
}

// Signed by `ca`, valid for `days` from today on; negative: it ended so many days ago. Files of modes 0644 and 0600.
export function certificate(folder, name, { ca, names = 'DNS:localhost,IP:127.0.0.1', days = 2 } = {}) {
  openssl(folder, 'req', ...kCurve, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
  if (days < 0) {
    // `x509 -req` of OpenSSL 3.0 knows no dates; `ca` does.
    writeFileSync(path.join(folder, 'index.txt'), '');
    writeFileSync(path.join(folder, 'serial'), '1000\n');
    writeFileSync(path.join(folder, 'ca.cnf'), ['[ca]', 'default_ca=a', '[a]', 'database=index.txt', 'serial=serial', 'new_certs_dir=.',
      'default_md=sha256', 'policy=p', 'unique_subject=no', '[p]', 'commonName=supplied', ''].join('\n'));
    openssl(folder, 'ca', '-batch', '-config', 'ca.cnf', '-in', `${name}.csr`, '-out', `${name}.pem`, '-notext', '-cert', `${ca.name}.pem`,
      '-keyfile', `${ca.name}.key`, '-startdate', stamp(days - 2), '-enddate', stamp(days), '-extfile', `${name}.ext`);
  } else {
    openssl(folder, 'x509', '-req', '-in', `${name}.csr`, '-CA', `${ca.name}.pem`, '-CAkey', `${ca.name}.key`, '-CAcreateserial', '-days', String(days),
      '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  }
  return { cert: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}.key`) };
}

function stamp(days) {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2, 14)}Z`;
}
