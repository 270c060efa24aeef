import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { nodeFiles } from '../core/base/files.ts'
import { pemOf } from '../core/identity/bundle.ts'
import { CA_FILE, CERT_FILE, KEY_FILE } from '../core/identity/identity.ts'
import { makeDirectoryOnce } from '../core/identity/new-directory.ts'
import { certificatesIn } from '../core/transport/pem.ts'
import type { ActSession } from './act-session.ts'
import { behindLeaf, bundleRoots, signingIssuer, trusted } from './chains.ts'
import { SERVER_DIRECTORY } from './directory.ts'
import { planServer } from './policy.ts'
import { signPlan } from './signing.ts'
import { liveRoots } from './state.ts'
import { generateKey } from './x509.ts'

function readOptional(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
}

/** What stands behind the server's leaf: with the roots themselves, since a joining host knows no more of one than its digest. */
function behindServer(session: ActSession): string {
  const { state, directory } = session
  const roots = liveRoots(state).map(({ number }) => directory.root(number))
  return pemOf([...behindLeaf(state, directory, signingIssuer(session)), ...roots])
}

/** Whether what stands there is of the issuer that signs, for these names, with a third of its life left. */
function isGood(session: ActSession, folder: string, wanted: ReturnType<typeof planServer>): boolean {
  const { state, directory, nowMs } = session
  const cert = readOptional(path.join(folder, CERT_FILE))
  const leaf = certificatesIn(cert)?.[0]
  if (leaf === undefined || !fs.existsSync(path.join(folder, KEY_FILE))) return false
  if (cert !== leaf.toString() + behindServer(session)) return false
  if (readOptional(path.join(folder, CA_FILE)) !== pemOf(trusted(state, directory, nowMs))) return false
  const serial = state.byDigest.get(leaf.fingerprint256.replaceAll(':', '').toLowerCase())
  const issued = serial === undefined ? undefined : state.certificates.get(serial)
  if (issued === undefined || issued.revoked !== undefined || issued.issuer !== signingIssuer(session)) return false
  if (JSON.stringify([issued.name, ...issued.san]) !== JSON.stringify([wanted.name, ...wanted.san])) return false
  const [start, end] = [Date.parse(issued.notBefore), Date.parse(issued.notAfter)]
  return nowMs >= start && end - nowMs > (end - start) / 3
}

/** Makes the identity of `pki serve`, or a new one when the old one does not do any more. @returns its directory */
export async function serverIdentity(session: ActSession, names: readonly string[]): Promise<string> {
  const { state, directory, nowMs } = session
  const folder = directory.file(SERVER_DIRECTORY)
  const plan = planServer(names, { validTo: directory.issuer(signingIssuer(session)).validToDate }, nowMs)
  if (isGood(session, folder, plan)) return folder
  const key = await generateKey()
  const { pem, act } = await signPlan(session, plan, key.keys.publicKey, { via: 'serve', bundle: bundleRoots(state, directory) })
  const files = [
    { name: KEY_FILE, text: key.pem, mode: 0o600 },
    { name: CERT_FILE, text: new X509Certificate(pem).toString() + behindServer(session), mode: 0o644 },
    { name: CA_FILE, text: pemOf(trusted(state, directory, nowMs)), mode: 0o644 },
  ]
  // The old one is moved out of the way whole. A crash in between leaves none, and the next start makes one.
  const old = `${folder}.old`
  fs.rmSync(old, { recursive: true, force: true })
  if (fs.existsSync(folder)) fs.renameSync(folder, old)
  makeDirectoryOnce(folder, 'the identity of the server', files, () => session.append(act, 'serve'))
  fs.rmSync(old, { recursive: true, force: true })
  nodeFiles.syncDirectory(directory.path)
  return folder
}
