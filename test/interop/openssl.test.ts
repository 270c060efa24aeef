import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Authorities } from '../../core/identity/authorities.ts'
import { loadIdentity } from '../../core/identity/identity.ts'
import { Revocation } from '../../core/identity/revocation.ts'
import { admitClient } from '../../core/transport/admission.ts'
import { certificateFacts } from '../../core/transport/certificate.ts'
import { normalisePin } from '../../core/transport/pins.ts'
import { initAuthority } from '../../pki/init.ts'
import { issueIdentity } from '../../pki/issue.ts'
import { type Leaf, makeRoot, makeSelfSigned, NOW, presentClient, temporaryDirectory } from '../unit/pki/made.ts'

function openssl(...argv: string[]): string {
  return execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

async function issued(t: ExecutionContext): Promise<{ directory: string; agent: string; relay: string }> {
  const parent = temporaryDirectory(t)
  const directory = path.join(parent, 'ca')
  await initAuthority({ directory, name: '#1 "Logs", Ltd \\ ä' }, NOW)
  const agent = path.join(parent, 'agent')
  const relay = path.join(parent, 'relay')
  await issueIdentity({ name: 'web01.example.com', role: 'agent', directory, out: agent }, NOW)
  const order = {
    name: `${'r'.repeat(60)}.example.com`,
    role: 'relay',
    san: ['192.0.2.7', '2001:db8::7'],
    speaksFor: ['*.site1.example.com'],
  }
  await issueIdentity({ ...order, directory, out: relay }, NOW)
  return { directory, agent, relay }
}

function verifies(identity: string, purpose: string, ...more: string[]): boolean {
  const file = (name: string) => path.join(identity, name)
  const argv = ['-x509_strict', '-purpose', purpose, '-CAfile', file('ca.pem'), '-untrusted', file('cert.pem'), ...more, file('cert.pem')]
  return spawnSync('openssl', ['verify', ...argv], { stdio: 'ignore' }).status === 0
}

test('openssl verify -x509_strict accepts what pki issues, each for its purpose', async (t) => {
  const { agent, relay } = await issued(t)
  t.true(verifies(agent, 'sslclient'))
  t.false(verifies(agent, 'sslserver'))
  t.true(verifies(relay, 'sslclient'))
  t.true(verifies(relay, 'sslserver'))
  t.true(verifies(relay, 'sslserver', '-verify_ip', '2001:db8::7'))
  t.false(verifies(relay, 'sslserver', '-verify_hostname', 'web01.example.com'))
})

test('openssl shows the extensions that pki means to write, and which are critical', async (t) => {
  const { directory, relay } = await issued(t)
  const leaf = openssl('x509', '-in', path.join(relay, 'cert.pem'), '-noout', '-text')
  for (const expected of [
    /Basic Constraints: critical\s+CA:FALSE/,
    /Key Usage: critical\s+Digital Signature\n/,
    /Extended Key Usage: \s*TLS Web Client Authentication, TLS Web Server Authentication\n/,
    /Subject Key Identifier: \s*\S+/,
    /Authority Key Identifier: \s*\S+/,
    /Subject Alternative Name: critical\s+DNS:r{60}\.example\.com, IP Address:192\.0\.2\.7, IP Address:2001:DB8:0:0:0:0:0:7, URI:urn:loghop:role:relay, URI:urn:loghop:speaks-for:\*\.site1\.example\.com\n/,
    /prime256v1/,
    /ecdsa-with-SHA256/,
  ]) {
    t.regex(leaf, expected)
  }
  const text = (name: string) => openssl('x509', '-in', path.join(directory, name), '-noout', '-text')
  t.regex(
    text('root-1.pem'),
    /Basic Constraints: critical\s+CA:TRUE, pathlen:1\s+X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/,
  )
  t.regex(
    text('issuer-1.pem'),
    /Basic Constraints: critical\s+CA:TRUE, pathlen:0\s+X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/,
  )
})

test('openssl agrees on both pins, and its fingerprint can be pasted', async (t) => {
  const { agent } = await issued(t)
  const file = path.join(agent, 'cert.pem')
  const { facts } = loadIdentity(agent)
  t.is(normalisePin(openssl('x509', '-in', file, '-noout', '-sha256', '-fingerprint')), facts.certificateSha256)
  const spki = execFileSync('sh', [
    '-c',
    'openssl x509 -in "$0" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary',
    file,
  ])
  t.is(normalisePin(`pin-sha256:${spki.toString('base64')}`), facts.publicKeySha256)
})

/** A list of the authority in `directory`, by openssl's own CA, with the given certificates revoked. */
function revocationList(t: ExecutionContext, certificatePem: string, keyPem: string, revoked: readonly string[]): string {
  const directory = temporaryDirectory(t)
  const file = (name: string, text: string) => {
    fs.writeFileSync(path.join(directory, name), text)
    return path.join(directory, name)
  }
  const settings = `database=${file('index', '')}\ncrlnumber=${file('number', '01\n')}\ndefault_md=sha256\ndefault_crl_days=30\n`
  const config = file('ca.cnf', `[ca]\ndefault_ca=d\n[d]\n${settings}`)
  const signer = ['-keyfile', file('key.pem', keyPem), '-cert', file('ca.pem', certificatePem), '-config', config]
  for (const pem of revoked) openssl('ca', ...signer, '-revoke', file('revoked.pem', pem))
  return openssl('ca', ...signer, '-gencrl')
}

test('a certificate on a list that openssl made is refused, pinned or not; others and pinned self-signed ones are admitted', async (t) => {
  const { directory, agent, relay } = await issued(t)
  const text = (name: string) => fs.readFileSync(path.join(directory, name), 'utf8')
  const leafOf = (identity: string): Leaf => {
    const { key, cert } = loadIdentity(identity)
    return { certificate: new X509Certificate(cert), pem: cert, keyPem: key }
  }
  const revoked = leafOf(agent)
  const [root, signer] = [text('root-1.pem'), text('issuer-1.pem')]
  const lists =
    revocationList(t, signer, text('issuer-1.key.pem'), [revoked.certificate.toString()]) +
    revocationList(t, root, text('root-1.key.pem'), [])
  const authorities = new Authorities([new X509Certificate(root), new X509Certificate(signer)])
  const { check, count, revokedCount } = Revocation.from(lists, authorities)
  t.deepEqual([count, revokedCount], [2, 1])
  const policyOf = (leaf: Leaf) => ({ names: ['*'], pins: [certificateFacts(leaf.certificate).certificateSha256] })
  t.like(admitClient(await presentClient(revoked, root), policyOf(revoked), NOW, check), { check: 'revoked' })
  const other = leafOf(relay)
  t.is(admitClient(await presentClient(other, root), policyOf(other), NOW, check).kind, 'admitted')
  const selfSigned = await makeSelfSigned('web02.example.com')
  t.is(admitClient(await presentClient(selfSigned, root), policyOf(selfSigned), NOW, check).kind, 'admitted')
  const otherRoot = await makeRoot('Other')
  t.like(admitClient(await presentClient(other, otherRoot.certificatePem), { names: ['*'], pins: [] }, NOW, check), { check: 'untrusted' })
})
