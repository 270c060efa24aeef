import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { createSecureContext } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { type ExportOrder, exportPkcs12 } from '../../../pki/export.ts'
import { pkcs12 } from '../../../pki/pkcs12.ts'
import { readDer } from '../../support/der.ts'
import { makeIssuer, makeLeaf, makeRoot, temporaryDirectory } from './made.ts'

const PASSPHRASE = 'correct horse battery staple'
const root = await makeRoot()
const issuer = await makeIssuer(root)
const leaf = await makeLeaf(issuer)

function identityOf(t: ExecutionContext): { identity: string; file: string } {
  const parent = temporaryDirectory(t)
  const identity = path.join(parent, 'identity')
  fs.mkdirSync(identity)
  fs.writeFileSync(path.join(identity, 'key.pem'), leaf.keyPem, { mode: 0o600 })
  fs.writeFileSync(path.join(identity, 'cert.pem'), leaf.pem + issuer.certificatePem)
  fs.writeFileSync(path.join(identity, 'ca.pem'), root.certificatePem)
  return { identity, file: path.join(parent, 'out.p12') }
}

function refused(t: ExecutionContext, order: ExportOrder, code: string, message: RegExp): void {
  const error = t.throws(() => exportPkcs12(order), { instanceOf: LoghopError, code, message })
  const said = `${error.message} ${error.remedy} ${error.stack}`
  t.true(error.remedy.length > 0)
  t.false(order.passphrase.length > 2 && said.includes(order.passphrase), 'the passphrase in an error')
}

test('an export is strict DER, of mode 0600, and OpenSSL takes key and chain from it with the passphrase alone', (t) => {
  const order = { ...identityOf(t), passphrase: PASSPHRASE }
  t.deepEqual(exportPkcs12(order), { name: 'web01.example.com', certificates: 3, roots: 1 })
  const pfx = fs.readFileSync(order.file)
  t.is((fs.statSync(order.file).mode & 0o777).toString(8), '600')
  t.notThrows(() => readDer(pfx, 1 << 16))
  t.notThrows(() => createSecureContext({ pfx, passphrase: PASSPHRASE }))
  t.throws(() => createSecureContext({ pfx, passphrase: `${PASSPHRASE}r` }), { message: /mac verify failure/ })
  const key = createPrivateKey(leaf.keyPem).export({ type: 'pkcs8', format: 'der' })
  t.false(pfx.includes(key.subarray(-32)), 'the key stands in it as it is')
  t.false(pfx.includes(Buffer.from('web01.example.com')), 'the certificate stands in it as it is')
})

test('an export that was changed anywhere is refused', (t) => {
  const certificate = new X509Certificate(leaf.pem)
  const pfx = pkcs12({ name: 'x', key: createPrivateKey(leaf.keyPem), chain: [certificate], roots: [] }, PASSPHRASE)
  // Counts of iterations are left alone: to change one only takes long.
  for (const at of [pfx.length - 1, pfx.length - 60, 300, 700]) {
    const broken = Buffer.from(pfx)
    broken[at]! ^= 1
    t.throws(() => createSecureContext({ pfx: broken, passphrase: PASSPHRASE }), undefined, `octet ${at}`)
  }
})

test('RSA keys and names of other scripts are written too', (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const certificate = new X509Certificate(leaf.pem)
  const pfx = pkcs12({ name: 'Журнал ä 𝄞', key: privateKey, chain: [certificate], roots: [{ name: 'r', certificate }] }, PASSPHRASE)
  t.notThrows(() => readDer(pfx, 1 << 16))
})

test('an export overwrites nothing, not even a link that leads nowhere', (t) => {
  const order = { ...identityOf(t), passphrase: PASSPHRASE }
  fs.symlinkSync('nowhere', order.file)
  refused(t, order, 'PKI_EXISTS', /nothing is ever overwritten/)
  fs.unlinkSync(order.file)
  fs.writeFileSync(order.file, 'mine')
  refused(t, order, 'PKI_EXISTS', /nothing is ever overwritten/)
  t.is(fs.readFileSync(order.file, 'utf8'), 'mine')
})

test('an export into a directory that is not there says so', (t) => {
  const order = { ...identityOf(t), passphrase: PASSPHRASE }
  refused(t, { ...order, file: path.join(order.identity, 'no', 'out.p12') }, 'PKI_WRITE', /ENOENT/)
})

for (const [what, passphrase, message] of [
  ['no passphrase', '', /has 0 characters, 8 to 128/],
  ['a short one', 'seven77', /has 7 characters/],
  ['a long one', 'x'.repeat(129), /has 129 characters/],
  ['one that programs encode differently', 'pässwörter', /not printable ASCII/],
] as const) {
  test(`an export is refused with ${what}, and nothing is written`, (t) => {
    const order = { ...identityOf(t), passphrase }
    refused(t, order, 'USAGE', message)
    t.false(fs.existsSync(order.file))
  })
}

test('an export of what is no identity is refused', (t) => {
  const order = { ...identityOf(t), passphrase: PASSPHRASE }
  fs.unlinkSync(path.join(order.identity, 'key.pem'))
  refused(t, order, 'IDENTITY_FILE', /key\.pem: the file is missing/)
  t.false(fs.existsSync(order.file))
})
