import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import { LoghopError } from '../base/errors.ts'
import { asOwner } from '../identity/as-owner.ts'
import { loadIdentity } from '../identity/identity.ts'
import { identityProblems } from '../identity/problems.ts'
import { takeLock } from '../platform/lock.ts'
import { describeCertificate } from '../transport/certificate.ts'

/** One thing that `run` would open, and how it went. */
export interface Verdict {
  readonly what: string
  readonly isGood: boolean
  readonly text: string
  readonly remedy: string
}

function good(what: string, text: string): Verdict {
  return { what, isGood: true, text, remedy: '' }
}

function bad(what: string, error: unknown, remedy: string): Verdict {
  if (error instanceof LoghopError) return { what, isGood: false, text: error.message, remedy: error.remedy }
  return { what, isGood: false, text: (error as Error).message, remedy }
}

export function checkIdentity(directory: string, renews = false): Verdict[] {
  try {
    const identity = loadIdentity(directory)
    const { authority } = identity
    const problems = identityProblems(identity, Date.now(), renews && authority !== undefined ? { authority } : undefined)
    return [
      good('identity', describeCertificate(identity.facts)),
      ...problems.map((problem) => ({ what: 'identity', isGood: !problem.failing, text: problem.sentence, remedy: problem.remedy })),
    ]
  } catch (error) {
    return [bad('identity', error, 'Issue the identity again')]
  }
}

/** Writable, and with room; a running daemon's lock is no fault. What root leaves there belongs to the user that runs the daemon. */
export function checkSpool(directory: string): Verdict {
  return asOwner(fs.existsSync(directory) ? directory : path.dirname(directory), () => trySpool(directory))
}

function trySpool(directory: string): Verdict {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    const probe = path.join(directory, `.check-${process.pid}`)
    fs.writeFileSync(probe, 'loghop', { flag: 'wx' })
    fs.unlinkSync(probe)
    const lock = takeLock(path.join(directory, 'lock'))
    lock?.release()
    return good('spool', lock === undefined ? `${directory} is writable, and open in a running daemon` : `${directory} is writable`)
  } catch (error) {
    return bad('spool', error, `Make ${directory} and give it to the user that runs this, mode 0700`)
  }
}

/** Whether the address can be bound; when it is taken, by whom is not known, and a running daemon of ours is likely. */
export async function checkBind(host: string, port: number, what = 'listener'): Promise<Verdict> {
  const server = net.createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port }, resolve)
    })
    return good(what, `${host}:${port} can be bound`)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE')
      return bad(
        what,
        new Error(`${host}:${port} is in use`),
        'If that is this daemon running, all is well; else stop what has the port ("ss -ltnp" names it)',
      )
    return bad(what, error, 'Choose an address of this host, and a port that this user may bind')
  } finally {
    server.close()
  }
}

/** The verdicts as lines for a person. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(
    ({ what, isGood, text, remedy }) =>
      `${isGood ? 'good' : 'BAD '}  ${what}: ${text}${isGood || remedy === '' ? '' : `\n      ${remedy}`}`,
  )
}
