import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { TLSSocket } from 'node:tls'
import * as tls from 'node:tls'
import type { ExecutionContext } from 'ava'
import type { PresentedCertificate } from '../../../core/transport/admission.ts'
import { generateKey, type LeafRequest, type Signer, signAuthority, signLeaf, signRoot } from '../../../pki/x509.ts'

export const DAY_MS = 86_400_000
export const NOW = Date.now()
export const VALID = { notBefore: new Date(NOW - DAY_MS), notAfter: new Date(NOW + 90 * DAY_MS) }

/** A directory that is gone after the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-'))
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

export async function makeRoot(name = 'Test Root', validity = VALID): Promise<Signer> {
  const key = await generateKey()
  const certificatePem = await signRoot({ name, publicKey: key.keys.publicKey, pathLength: 1, ...validity }, key)
  return { certificatePem, keyPem: key.pem }
}

export async function makeIssuer(root: Signer, name = 'Test Issuer', validity = VALID): Promise<Signer> {
  const key = await generateKey()
  const certificatePem = await signAuthority({ name, publicKey: key.keys.publicKey, pathLength: 0, ...validity }, root)
  return { certificatePem, keyPem: key.pem }
}

export interface Leaf {
  readonly certificate: X509Certificate
  readonly pem: string
  readonly keyPem: string
}

/** A sound agent certificate for web01.example.com, but for what `differing` says. */
export async function makeLeaf(ca: Signer, differing: Partial<LeafRequest> = {}): Promise<Leaf> {
  const key = await generateKey()
  const pem = await signLeaf(
    {
      commonName: 'web01.example.com',
      publicKey: key.keys.publicKey,
      dnsNames: ['web01.example.com'],
      addresses: [],
      uris: ['urn:loghop:role:agent'],
      usages: ['clientAuth'],
      ...VALID,
      ...differing,
    },
    ca,
  )
  return { certificate: new X509Certificate(pem), pem, keyPem: key.pem }
}

/** A self-signed certificate of a host, in the shape that other programs make for pinning. */
export async function makeSelfSigned(name: string): Promise<Leaf> {
  const key = await generateKey()
  const publicKey = key.keys.publicKey
  const asIssuer = await signRoot({ name, publicKey, pathLength: 0, ...VALID }, key)
  const differing = { commonName: name, publicKey, dnsNames: [name], uris: [], usages: ['clientAuth', 'serverAuth'] } as const
  return { ...(await makeLeaf({ certificatePem: asIssuer, keyPem: key.pem }, differing)), keyPem: key.pem }
}

function listening(server: tls.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

function verdictOn(socket: TLSSocket): PresentedCertificate {
  // Node gives the verify code as a string here, whatever its types say.
  const code = socket.authorizationError as unknown as string | null
  return { certificate: socket.getPeerX509Certificate(), authorized: socket.authorized, authorizationError: code ?? undefined }
}

/** What OpenSSL says of a client in a true handshake: the leaf, and whatever chain the client sends with it. */
export async function presentClient(client: Leaf | undefined, caPem: string, chainPem = '', crl?: string): Promise<PresentedCertificate> {
  const own = await makeLeaf(await makeRoot(), { usages: ['serverAuth'] })
  const server = tls.createServer({
    key: own.keyPem,
    cert: own.pem,
    ca: caPem,
    crl,
    requestCert: true,
    rejectUnauthorized: false,
  })
  const port = await listening(server)
  try {
    return await new Promise<PresentedCertificate>((resolve, reject) => {
      server.once('tlsClientError', reject)
      server.once('secureConnection', (socket) => {
        const verdict = verdictOn(socket)
        socket.on('error', () => {})
        socket.destroy()
        resolve(verdict)
      })
      const identity = client === undefined ? {} : { key: client.keyPem, cert: client.pem + chainPem }
      tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...identity }).on('error', () => {})
    })
  } finally {
    server.close()
  }
}

/** What OpenSSL says of a server in a true handshake; the name is left to admitServer. */
export async function presentServer(own: Leaf, caPem: string, chainPem = ''): Promise<PresentedCertificate> {
  const server = tls.createServer({ key: own.keyPem, cert: own.pem + chainPem })
  server.on('secureConnection', (socket) => socket.on('error', () => {}))
  const port = await listening(server)
  try {
    return await new Promise<PresentedCertificate>((resolve, reject) => {
      const options = { port, host: '127.0.0.1', ca: caPem, rejectUnauthorized: false, checkServerIdentity: () => undefined }
      const socket = tls.connect(options, () => {
        resolve(verdictOn(socket))
        socket.destroy()
      })
      socket.on('error', reject)
    })
  } finally {
    server.close()
  }
}
