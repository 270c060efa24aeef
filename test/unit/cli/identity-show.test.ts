import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { explainIdentity } from '../../../cli/identity-show.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { makeSelfSignedIdentity } from '../../../core/identity/self-signed.ts'
import { signRevocationList } from '../../../pki/crl.ts'
import { DAY_MS, makeIssuer, makeLeaf, makeRoot, NOW, temporaryDirectory } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const leaf = await makeLeaf(issuer, { addresses: ['192.0.2.7'], uris: ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*.example.com'] })
const dates = { thisUpdate: new Date(NOW - 3 * DAY_MS), nextUpdate: new Date(NOW + 4 * DAY_MS) }
const list = signRevocationList({ number: 1, ...dates, entries: [] }, issuer)

function shown(directory: string, nowMs = NOW): string {
  return explainIdentity(loadIdentity(directory), nowMs).join('\n')
}

function identityOf(t: ExecutionContext): string {
  const directory = temporaryDirectory(t)
  const crl = `-----BEGIN X509 CRL-----\n${list.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END X509 CRL-----\n`
  fs.writeFileSync(path.join(directory, 'key.pem'), leaf.keyPem, { mode: 0o600 })
  fs.writeFileSync(path.join(directory, 'cert.pem'), leaf.pem + issuer.certificatePem)
  fs.writeFileSync(path.join(directory, 'ca.pem'), root.certificatePem + issuer.certificatePem)
  fs.writeFileSync(path.join(directory, 'crl.pem'), crl)
  fs.writeFileSync(path.join(directory, 'authority'), 'ca.example.com:8443\n')
  return directory
}

test('identity show tells names, role, chain, roots, renewal and the age of the revocation list, and nothing of the key', (t) => {
  const text = shown(identityOf(t))
  for (const expected of [
    /name {9}web01\.example\.com\n/,
    /role {9}relay: /,
    /speaks for {3}\*\.example\.com\n/,
    /renewed {6}by itself at ca\.example\.com:8443 /,
    /revocation {3}list in crl\.pem, made \S+, 3 days ago, 0 revoked; the next by \S+\n/,
    /dNSName {6}web01\.example\.com\n/,
    /iPAddress {4}192\.0\.2\.7\n/,
    /CN {11}web01\.example\.com /,
    /CN=Test Issuer, to .*\n.*\n {4}no root, so trusted for nothing/,
  ])
    t.regex(text, expected)
  for (const pem of [leaf.pem, issuer.certificatePem, root.certificatePem])
    t.true(text.includes(`sha-256:${new X509Certificate(pem).fingerprint256}`))
  for (const line of leaf.keyPem.split('\n').slice(1, -2)) t.false(text.includes(line))
})

test('identity show says when the next revocation list is overdue', (t) => {
  t.regex(shown(identityOf(t), NOW + 5 * DAY_MS), /8 days ago, 0 revoked; the next one is overdue since /)
})

test('identity show tells a self-signed identity for one, and that nothing renews it', async (t) => {
  const directory = path.join(temporaryDirectory(t), 'identity')
  await makeSelfSignedIdentity({ name: 'web01.example.com', directory }, NOW)
  const text = shown(directory)
  t.regex(text, /issued by {4}itself, serial [0-9A-F]+: only peers that pin it know it\n/)
  t.regex(text, /renewed {6}not by itself/)
  t.regex(text, /revocation {3}no list/)
})
