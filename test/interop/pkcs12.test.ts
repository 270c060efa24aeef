// What "pki export" writes, in the programs that it is for.

import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import test from 'ava'
import { loadIdentity } from '../../core/identity/identity.ts'
import { makeSelfSignedIdentity } from '../../core/identity/self-signed.ts'
import { initAuthority } from '../../pki/init.ts'
import { issueIdentity } from '../../pki/issue.ts'
import { pkcs12 } from '../../pki/pkcs12.ts'
import { loghop, loghopWith } from '../support/daemon.ts'
import { NOW, temporaryDirectory } from '../unit/pki/made.ts'

const PASSPHRASE = 'correct horse battery staple'
const NAME = 'relay.example.com'

interface Exported {
  readonly identity: string
  readonly file: string
}

let exported: Exported

// Once for all: two processes and three slow derivations.
test.before(async (t) => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-'))
  const place = (name: string) => path.join(parent, name)
  await initAuthority({ directory: place('ca'), name: 'Example Logs ä' }, NOW)
  await issueIdentity({ name: NAME, role: 'relay', directory: place('ca'), out: place('identity') }, NOW)
  fs.writeFileSync(place('passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 })
  const made = await loghop('pki', 'export', place('identity'), '--p12', place('out.p12'), '--passphrase-file', place('passphrase'))
  t.is(made.code, 0, made.stderr)
  t.false(`${made.stdout}${made.stderr}`.includes(PASSPHRASE))
  exported = { identity: place('identity'), file: place('out.p12') }
})

test.after.always(() => {
  if (exported !== undefined) fs.rmSync(path.dirname(exported.file), { recursive: true, force: true })
})

function openssl(file: string, ...argv: string[]): string {
  const all = ['pkcs12', '-in', file, '-passin', `pass:${PASSPHRASE}`, '-nodes', ...argv]
  const { status, stdout, stderr } = spawnSync('openssl', all, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout + stderr
}

function pems(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\\n`, 'g')) ?? []
}

test('openssl pkcs12 gives back key, leaf, chain and root, and names the algorithms', (t) => {
  const { identity, file } = exported
  const { key, cert, ca } = loadIdentity(identity)
  const text = openssl(file, '-info')
  t.deepEqual(pems(text, 'PRIVATE KEY'), [key])
  // An intermediate may stand in both files.
  t.deepEqual(pems(text, 'CERTIFICATE'), [...new Set(pems(cert + ca, 'CERTIFICATE'))])
  t.regex(text, /MAC: sha256, Iteration 150000/)
  t.regex(text, /PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 150000, PRF hmacWithSHA256/)
  t.regex(text, /Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 150000, PRF hmacWithSHA256/)
  const identifiers = [...text.matchAll(/localKeyID: (.*)\n\s*friendlyName: (.*)\n/g)].map(([, id, name]) => `${id} ${name}`)
  t.is(identifiers.length, 2)
  t.is(identifiers[0], identifiers[1])
  t.true(identifiers[0]!.endsWith(` ${NAME}`))
  t.deepEqual(pems(openssl(file, '-clcerts', '-nokeys'), 'CERTIFICATE').length, 1)
})

test('openssl refuses it with another passphrase', (t) => {
  const { file } = exported
  t.not(spawnSync('openssl', ['pkcs12', '-in', file, '-passin', 'pass:another one', '-noout']).status, 0)
})

function keytool(file: string): { alias: string; text: string }[] {
  const argv = ['-J-Duser.language=en', '-list', '-v', '-storetype', 'PKCS12', '-keystore', file, '-storepass', PASSPHRASE]
  const text = execFileSync('keytool', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  return text
    .split(/^Alias name: /m)
    .slice(1)
    .map((entry) => ({ alias: entry.slice(0, entry.indexOf('\n')), text: entry }))
}

test('keytool lists the key with its whole chain, and the root as trusted', (t) => {
  const { identity, file } = exported
  const entries = keytool(file)
  t.is(entries.length, 2)
  const own = entries.find(({ alias }) => alias === NAME)!
  t.regex(own.text, /Entry type: PrivateKeyEntry\nCertificate chain length: 3\n/)
  t.true(own.text.includes(new X509Certificate(loadIdentity(identity).cert).fingerprint256))
  const root = entries.find(({ alias }) => alias !== NAME)!
  t.regex(root.text, /Entry type: trustedCertEntry\n/)
  t.true(root.text.includes(new X509Certificate(loadIdentity(identity).ca).fingerprint256))
})

test('keytool reads the private key itself: it can copy the entry into another file', (t) => {
  const { identity, file } = exported
  const copy = path.join(path.dirname(file), 'copy.p12')
  const from = ['-srckeystore', file, '-srcstoretype', 'PKCS12', '-srcstorepass', PASSPHRASE, '-srcalias', NAME]
  const to = ['-destkeystore', copy, '-deststoretype', 'PKCS12', '-deststorepass', PASSPHRASE]
  execFileSync('keytool', ['-importkeystore', ...from, ...to], { stdio: 'ignore' })
  t.deepEqual(pems(openssl(copy), 'PRIVATE KEY'), [loadIdentity(identity).key])
})

test('a self-signed identity and an RSA key are exported as well', async (t) => {
  const parent = temporaryDirectory(t)
  const place = (name: string) => path.join(parent, name)
  await makeSelfSignedIdentity({ name: NAME, directory: place('own') }, NOW)
  const made = await loghopWith({ LOGHOP_PASSPHRASE: PASSPHRASE }, 'pki', 'export', place('own'), '--p12', place('own.p12'))
  t.is(made.code, 0, made.stderr)
  t.deepEqual(pems(openssl(place('own.p12')), 'PRIVATE KEY'), [loadIdentity(place('own')).key])
  t.regex(keytool(place('own.p12'))[0]!.text, /PrivateKeyEntry\nCertificate chain length: 1\n/)

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  fs.writeFileSync(place('rsa.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const request = ['req', '-x509', '-key', place('rsa.pem'), '-subj', '/CN=rsa.example.com', '-out', place('rsa.crt')]
  execFileSync('openssl', request, { stdio: 'ignore' })
  const certificate = new X509Certificate(fs.readFileSync(place('rsa.crt')))
  fs.writeFileSync(place('rsa.p12'), pkcs12({ name: 'Журнал', key: privateKey, chain: [certificate], roots: [] }, PASSPHRASE))
  t.regex(openssl(place('rsa.p12')), /BEGIN PRIVATE KEY/)
  t.regex(keytool(place('rsa.p12'))[0]!.text, /PrivateKeyEntry/)
})

test('without a passphrase, and without a terminal to ask at, nothing is exported', async (t) => {
  const parent = temporaryDirectory(t)
  await makeSelfSignedIdentity({ name: NAME, directory: path.join(parent, 'own') }, NOW)
  const made = await loghop('pki', 'export', path.join(parent, 'own'), '--p12', path.join(parent, 'own.p12'))
  t.is(made.code, 64)
  t.regex(made.stderr, /Cannot go on without a passphrase[\s\S]*--passphrase-file FILE/)
  t.deepEqual(fs.readdirSync(parent), ['own'])
})
