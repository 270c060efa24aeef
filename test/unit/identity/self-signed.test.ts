import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { identityProblems } from '../../../core/identity/problems.ts'
import { makeSelfSignedIdentity, type SelfSignedOrder } from '../../../core/identity/self-signed.ts'
import { admitClient, admitServer } from '../../../core/transport/admission.ts'
import { NONE_REVOKED } from '../../../core/transport/tls-policy.ts'
import { DAY_MS, type Leaf, makeRoot, NOW, presentClient, presentServer, temporaryDirectory } from '../pki/made.ts'

async function make(t: ExecutionContext, order: Partial<SelfSignedOrder> = {}): Promise<string> {
  const directory = path.join(temporaryDirectory(t), 'identity')
  await makeSelfSignedIdentity({ name: 'web01.example.com', directory, ...order }, NOW)
  return directory
}

function leafOf(directory: string): Leaf {
  const { key, cert } = loadIdentity(directory)
  return { certificate: new X509Certificate(cert), pem: cert, keyPem: key }
}

test('a self-signed identity is a directory as any other, trusts itself, and only its owner reads the key', async (t) => {
  const directory = await make(t, { name: 'WEB01.Example.com', role: 'agent', days: 100 })
  const identity = loadIdentity(directory)
  t.is(identity.name, 'web01.example.com')
  t.is(identity.role, 'agent')
  t.is(identity.ca, identity.cert)
  t.deepEqual(identityProblems(identity, NOW), [])
  t.is(identity.facts.validTo.getTime(), Math.floor(NOW / 1000) * 1000 + 100 * DAY_MS)
  t.true(identity.facts.validFrom.getTime() < NOW)
  const mode = (name: string) => (fs.statSync(path.join(directory, name)).mode & 0o777).toString(8)
  t.is(mode('.'), '700')
  t.is(mode('key.pem'), '600')
  t.deepEqual(fs.readdirSync(directory).sort(), ['ca.pem', 'cert.pem', 'key.pem'])
})

test('the certificate is for P-256 and SHA-256, and for no authority', async (t) => {
  const { certificate } = leafOf(await make(t))
  t.is(certificate.publicKey.asymmetricKeyDetails!.namedCurve, 'prime256v1')
  t.is(certificate.signatureAlgorithm, 'ecdsa-with-SHA256')
  t.false(certificate.ca)
  t.deepEqual([...certificate.keyUsage].sort(), ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
})

test('an agent may only send; a relay, or one without a role, may listen and send', async (t) => {
  const admitted = async (role: string | undefined) => {
    const leaf = leafOf(await make(t, { role }))
    const pin = `sha-256:${leaf.certificate.fingerprint256}`
    const other = (await makeRoot()).certificatePem
    const asClient = admitClient(await presentClient(leaf, other), { names: [], pins: [pin] }, NOW, NONE_REVOKED)
    const asServer = admitServer(await presentServer(leaf, other), { host: '192.0.2.1', pin }, NOW, NONE_REVOKED)
    return [asClient.kind, asServer.kind === 'refused' ? asServer.check : asServer.kind]
  }
  t.deepEqual(await admitted('agent'), ['admitted', 'purpose'])
  t.deepEqual(await admitted('relay'), ['admitted', 'admitted'])
  t.deepEqual(await admitted(undefined), ['admitted', 'admitted'])
})

test('two identities of one name have different keys and serials', async (t) => {
  const [first, second] = [leafOf(await make(t)), leafOf(await make(t))]
  t.not(first.certificate.serialNumber, second.certificate.serialNumber)
  t.false(first.certificate.publicKey.equals(second.certificate.publicKey))
})

for (const [what, order, message] of [
  ['an address as name', { name: '192.0.2.1' }, /is no host name/],
  ['an empty name', { name: '' }, /is no host name/],
  ['a name that would write into the subject', { name: 'a, O=b' }, /is no host name/],
  ['a control character in the name', { name: 'a\u001b[2J' }, /"a\S*\[2J"/],
  ['an unknown role', { role: 'server' }, /role "server": the roles are agent and relay/],
  ['no days', { days: 0 }, /1 to 3650/],
  ['too many days', { days: 3651 }, /1 to 3650/],
  ['half a day', { days: 1.5 }, /1 to 3650/],
] as [string, Partial<SelfSignedOrder>, RegExp][]) {
  test(`a self-signed identity is refused for ${what}, and nothing is made`, async (t) => {
    const parent = temporaryDirectory(t)
    const directory = path.join(parent, 'identity')
    const work = () => makeSelfSignedIdentity({ name: 'web01.example.com', directory, ...order }, NOW)
    const error = await t.throwsAsync(work, { instanceOf: LoghopError, code: 'USAGE', message })
    t.true(error.remedy.length > 0)
    t.notRegex(error.message, /\u001b/)
    t.deepEqual(fs.readdirSync(parent), [])
  })
}

test('a self-signed identity replaces nothing', async (t) => {
  const directory = await make(t)
  const before = fs.readFileSync(path.join(directory, 'key.pem'), 'utf8')
  const work = () => makeSelfSignedIdentity({ name: 'web01.example.com', directory }, NOW)
  await t.throwsAsync(work, { instanceOf: LoghopError, message: /nothing is ever overwritten/ })
  t.is(fs.readFileSync(path.join(directory, 'key.pem'), 'utf8'), before)
  t.is(fs.readdirSync(path.dirname(directory)).length, 1)
})
