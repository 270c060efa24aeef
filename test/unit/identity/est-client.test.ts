import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { spkiDigest } from '../../../core/identity/bundle.ts'
import { askEst } from '../../../core/identity/est-client.ts'
import { join } from '../../../core/identity/join.ts'
import { formatToken } from '../../../core/identity/token.ts'
import { NONE_REVOKED } from '../../../core/transport/tls-policy.ts'
import { type Leaf, makeIssuer, makeLeaf, makeRoot, NOW, temporaryDirectory } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
// As `pki serve` presents itself, but for what each test says.
const AS_SERVER = { commonName: 'localhost', dnsNames: ['localhost'], usages: ['serverAuth'] } as const
const authority = await makeLeaf(issuer, { ...AS_SERVER, uris: [] })
// What a site relay has that passes enrolment through: its certificate carries the very name that its hosts dial.
const relay = await makeLeaf(issuer, { ...AS_SERVER, uris: ['urn:loghop:role:relay'], usages: ['clientAuth', 'serverAuth'] })

/** An HTTPS server that notes what it is sent. */
async function standingIn(t: ExecutionContext, { keyPem, pem }: Leaf): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  const cert = pem + issuer.certificatePem + root.certificatePem
  const server = https.createServer({ key: keyPem, cert }, (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`)
    response.end('so be it')
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, asked }
}

function asked(port: number) {
  const server = { address: { host: 'localhost', port }, ca: root.certificatePem, revoked: NONE_REVOKED }
  return askEst(server, { method: 'GET', path: '/crl.pem', limitBytes: 100 })
}

test('askEst() believes a server that the roots vouch for and that has the dialled name', async (t) => {
  const { port } = await standingIn(t, authority)
  t.is((await asked(port)).body.toString(), 'so be it')
})

test('askEst() takes no relay for the authority, whatever name it has: it could hand out roots of its own', async (t) => {
  const server = await standingIn(t, relay)
  const error = await t.throwsAsync(asked(server.port), { code: 'EST_UNTRUSTED' })
  t.regex(error.message, /it is the certificate of a relay/)
  t.deepEqual(server.asked, [])
})

test('askEst() speaks of the clocks where the dates do not fit', async (t) => {
  const notBefore = new Date(NOW + 86_400_000)
  const { port } = await standingIn(t, await makeLeaf(issuer, { ...AS_SERVER, uris: [], notBefore }))
  const error = await t.throwsAsync(asked(port), { code: 'EST_UNTRUSTED', instanceOf: LoghopError })
  t.regex(error.message, /not yet valid/)
  t.regex(error.remedy, /Compare the clocks: that of this host says 20/)
})

test('join() sends no secret to a relay that stands in for the authority', async (t) => {
  const server = await standingIn(t, relay)
  const directory = path.join(temporaryDirectory(t), 'identity')
  const token = formatToken({
    server: `localhost:${server.port}`,
    name: 'web01.example.com',
    role: 'agent',
    secret: 'A'.repeat(27),
    rootSpki: spkiDigest(new X509Certificate(root.certificatePem)),
    expiresSeconds: Math.floor(NOW / 1000) + 3600,
  })
  await t.throwsAsync(join({ token, role: 'agent', directory, hostName: 'web01' }, NOW), { code: 'EST_UNTRUSTED' })
  t.deepEqual(server.asked, [])
  t.false(fs.existsSync(directory))
})
