// What the authority makes and takes, against openssl.

import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { listPem } from '../../core/identity/revocation.ts'
import { revoke } from '../../pki/revocation.ts'
import { rotateIssuer, rotateRoot } from '../../pki/rotation.ts'
import { FROM, HOST, MadeAuthority, makeRequest } from '../unit/pki/requests.ts'

function openssl(...argv: string[]): string {
  return execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The certificate in a directory of its own, with what a peer would have, and openssl's word on it. */
function verify(made: MadeAuthority, chain: readonly Buffer[], root: Buffer, ...more: string[]): string {
  const directory = fs.mkdtempSync(path.join(made.parent, 'verify-'))
  const put = (name: string, text: string): string => {
    fs.writeFileSync(path.join(directory, name), text)
    return path.join(directory, name)
  }
  const pem = (certificates: readonly Buffer[]) => certificates.map((der) => new X509Certificate(der).toString()).join('')
  const lists = put(
    'crl.pem',
    made.authority
      .revocationLists()
      .map(({ der }) => listPem(der))
      .join(''),
  )
  const argv = ['-x509_strict', '-CAfile', put('ca.pem', pem([root])), '-untrusted', put('chain.pem', pem(chain.slice(1)))]
  const { stdout, stderr } = spawnSync(
    'openssl',
    ['verify', ...argv, '-CRLfile', lists, ...more, put('leaf.pem', pem(chain.slice(0, 1)))],
    {
      encoding: 'utf8',
    },
  )
  return stdout + stderr
}

test('openssl verify -crl_check believes the lists, and refuses what was revoked', async (t) => {
  const made = await MadeAuthority.make(t)
  const root = made.authority.bundle()[0]!
  const first = await made.join()
  await made.authority.act((session) => rotateIssuer(session, undefined))
  const second = await made.join('web02.example.com')
  t.regex(verify(made, first.chain, root, '-crl_check'), /leaf\.pem: OK/)
  t.regex(verify(made, second.chain, root, '-crl_check'), /leaf\.pem: OK/)
  await made.authority.act((session) => revoke(session, HOST, 'keyCompromise'))
  t.regex(verify(made, first.chain, root, '-crl_check'), /certificate revoked/)
  t.regex(verify(made, second.chain, root, '-crl_check'), /leaf\.pem: OK/)
  const [, old] = made.authority.revocationLists()
  const file = path.join(made.parent, 'old.crl')
  fs.writeFileSync(file, old!.der)
  const text = openssl('crl', '-inform', 'DER', '-in', file, '-noout', '-text')
  for (const expected of [
    /Version 2/,
    /X509v3 Authority Key Identifier/,
    /X509v3 CRL Number: \s*\d{10}\s/,
    /Key Compromise/,
    /ecdsa-with-SHA256/,
  ]) {
    t.regex(text, expected)
  }
})

test('openssl verify follows a new root from the old one by its cross certificate, and from the new one without', async (t) => {
  const made = await MadeAuthority.make(t)
  const old = made.authority.bundle()[0]!
  const before = await made.join('web02.example.com')
  await made.authority.act((session) => rotateRoot(session, undefined))
  const [root] = made.authority.bundle()
  const { chain } = await made.join()
  t.is(chain.length, 3)
  t.regex(verify(made, chain, old, '-crl_check'), /leaf\.pem: OK/)
  t.regex(verify(made, chain, root!, '-crl_check'), /leaf\.pem: OK/)
  t.regex(verify(made, chain.slice(0, 2), root!), /leaf\.pem: OK/)
  t.regex(verify(made, chain.slice(0, 2), old), /unable to get/)
  t.regex(verify(made, before.chain, old, '-crl_check'), /leaf\.pem: OK/)
})

for (const [what, key] of [
  ['EC P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  ['EC P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ['RSA 3072', ['-newkey', 'rsa:3072']],
] as const) {
  test(`a request that openssl makes for ${what} is taken`, async (t) => {
    const made = await MadeAuthority.make(t)
    const { secret } = await made.invite()
    const file = path.join(made.parent, 'request.der')
    const names = ['-subj', `/C=CH/O=Example/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`]
    openssl('req', '-new', ...key, '-nodes', '-keyout', path.join(made.parent, 'key.pem'), ...names, '-outform', 'DER', '-out', file)
    const answer = await made.authority.enrol({ name: HOST, secret, csr: fs.readFileSync(file), from: FROM })
    if (answer.kind === 'refused') return t.fail(answer.sentence)
    t.regex(verify(made, answer.chain, made.authority.bundle()[0]!, '-purpose', 'sslclient', '-crl_check'), /leaf\.pem: OK/)
  })
}

test('a key with explicit curve parameters, or on a curve that is not accepted, is refused', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  for (const curve of [
    ['-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'],
    ['-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  ]) {
    const file = path.join(made.parent, 'request.der')
    const key = ['-newkey', 'ec', ...curve, '-nodes', '-keyout', path.join(made.parent, 'key.pem')]
    openssl('req', '-new', ...key, '-subj', `/CN=${HOST}`, '-outform', 'DER', '-out', file)
    const answer = await made.authority.enrol({ name: HOST, secret, csr: fs.readFileSync(file), from: FROM })
    t.is(answer.kind, 'refused', curve.join(' '))
  }
  t.is(made.issued, 0)
})

test('openssl req -verify agrees that a request proves its key', async (t) => {
  const made = await MadeAuthority.make(t)
  const file = path.join(made.parent, 'request.der')
  fs.writeFileSync(file, await makeRequest({ subject: [{ CN: [HOST] }] }))
  t.notThrows(() => openssl('req', '-inform', 'DER', '-in', file, '-noout', '-verify'))
})
