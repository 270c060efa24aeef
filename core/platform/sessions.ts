// Who is logged in at which terminal: utmp where it is kept, else the session files of logind.

import * as fs from 'node:fs'
import * as path from 'node:path'

export interface LoginSession {
  readonly user: string
  /** Below /dev, such as `pts/3`. */
  readonly line: string
}

export interface SessionPlaces {
  /** Records of utmp(5), or of getutxent(3) on FreeBSD. */
  readonly utmp: string
  /** Files of logind, one for each session. */
  readonly logind: string
}

const IS_FREEBSD = process.platform === 'freebsd'
export const SYSTEM_SESSIONS: SessionPlaces = {
  utmp: IS_FREEBSD ? '/var/run/utx.active' : process.platform === 'openbsd' ? '/var/run/utmp' : '/run/utmp',
  logind: '/run/systemd/sessions',
}

const SESSIONS_LIMIT = 4096
const LOGIND_FILE_LIMIT_BYTES = 16 << 10

interface RecordLayout {
  readonly bytes: number
  /** Where the type stands, how long it is, and its value for a user. None: any record with a user and a line. */
  readonly type: { readonly at: number; readonly bytes: 1 | 2; readonly user: number } | undefined
  readonly user: { readonly at: number; readonly bytes: number }
  readonly line: { readonly at: number; readonly bytes: number }
}

/** struct utmp of glibc and musl (the same on 32 and 64 bits), struct futx of FreeBSD, struct utmp of OpenBSD. */
export const UTMP_LAYOUTS = {
  linux: { bytes: 384, type: { at: 0, bytes: 2, user: 7 }, line: { at: 8, bytes: 32 }, user: { at: 44, bytes: 32 } },
  freebsd: { bytes: 197, type: { at: 0, bytes: 1, user: 4 }, user: { at: 21, bytes: 32 }, line: { at: 53, bytes: 16 } },
  openbsd: { bytes: 304, type: undefined, line: { at: 0, bytes: 8 }, user: { at: 8, bytes: 32 } },
} as const satisfies Record<string, RecordLayout>

/** Names of terminals as /dev has them, and nothing that leads elsewhere. */
const LINE = /^(?:pts\/|tty|cons|ttyv)?[A-Za-z0-9]{1,16}$/
const USER = /^[A-Za-z0-9_.][A-Za-z0-9_.@$\\-]{0,255}$/

function textAt(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('latin1', at, end === -1 || end > at + length ? at + length : end)
}

/**
 * The users in whole records; what is no login of a user at a terminal is passed over, and so is a torn record at the end.
 * @param limit most sessions that are taken
 */
export function decodeUtmp(bytes: Buffer, layout: RecordLayout, limit: number): LoginSession[] {
  const sessions: LoginSession[] = []
  for (let at = 0; at + layout.bytes <= bytes.length && sessions.length < limit; at += layout.bytes) {
    const { type } = layout
    if (type !== undefined && (type.bytes === 2 ? bytes.readInt16LE(at + type.at) : bytes[at + type.at]) !== type.user) continue
    add(sessions, textAt(bytes, at + layout.user.at, layout.user.bytes), textAt(bytes, at + layout.line.at, layout.line.bytes))
  }
  return sessions
}

/** One session file of logind: `USER=alice`, `TTY=pts/3` lines. */
export function decodeLogindSession(text: string): LoginSession | undefined {
  const fields = new Map<string, string>()
  for (const line of text.split('\n', 256)) {
    const equals = line.indexOf('=')
    if (equals > 0 && !line.startsWith('#')) fields.set(line.slice(0, equals), line.slice(equals + 1))
  }
  const sessions: LoginSession[] = []
  if ((fields.get('CLASS') ?? 'user').startsWith('user') && fields.get('STATE') !== 'closing')
    add(sessions, fields.get('USER') ?? '', fields.get('TTY') ?? '')
  return sessions[0]
}

function add(sessions: LoginSession[], user: string, line: string): void {
  if (USER.test(user) && LINE.test(line)) sessions.push({ user, line })
}

function readBounded(file: string, limitBytes: number): Buffer {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const bytes = Buffer.alloc(Math.min(limitBytes, fs.fstatSync(fd).size))
    let got = 0
    while (got < bytes.length) {
      const read = fs.readSync(fd, bytes, got, bytes.length - got, got)
      if (read === 0) break
      got += read
    }
    return bytes.subarray(0, got)
  } finally {
    fs.closeSync(fd)
  }
}

/** The sessions of now. Where neither place is there, none. @throws never: what cannot be read is as if it were not there */
export function readSessions(places: SessionPlaces = SYSTEM_SESSIONS): LoginSession[] {
  const layout: RecordLayout = UTMP_LAYOUTS[IS_FREEBSD ? 'freebsd' : process.platform === 'openbsd' ? 'openbsd' : 'linux']
  let sessions: LoginSession[] = []
  try {
    sessions = decodeUtmp(readBounded(places.utmp, layout.bytes * SESSIONS_LIMIT), layout, SESSIONS_LIMIT)
  } catch {
    // Systems without utmp have logind.
  }
  try {
    for (const name of fs.readdirSync(places.logind).slice(0, SESSIONS_LIMIT)) {
      if (name.endsWith('.ref')) continue
      const session = decodeSessionFile(path.join(places.logind, name))
      if (session !== undefined && !sessions.some((one) => one.line === session.line)) sessions.push(session)
    }
  } catch {
    // And those without logind have utmp.
  }
  return sessions
}

function decodeSessionFile(file: string): LoginSession | undefined {
  try {
    return decodeLogindSession(readBounded(file, LOGIND_FILE_LIMIT_BYTES).toString('utf8'))
  } catch {
    return undefined // It has ended meanwhile, or is a pipe.
  }
}
