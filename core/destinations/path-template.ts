import { createHash } from 'node:crypto'
import * as path from 'node:path'

const SAFE = /^[a-z0-9_][a-z0-9._-]{0,252}$/

/**
 * A host name as one component of a path. Names come from certificates and have been checked there; this is the second lock: whatever is not
 * plainly a name becomes a hash, so no name is a dot, a slash, empty, too long, or the same as another's.
 */
export function hostComponent(host: string): string {
  return SAFE.test(host) && !host.endsWith('.') ? host : `h-${createHash('sha256').update(host).digest('hex').slice(0, 16)}`
}

export interface PathTemplate {
  /** The directory that the configuration names in full: may be reached through links, is never left. */
  readonly base: string
  /** Components below it, of which none may be a link. */
  components(host: string): string[]
}

/** Reads `/var/log/loghop/$HOST/messages` (or `${HOST}`); the configuration has checked that it is absolute and has no other macro. */
export function pathTemplate(template: string): PathTemplate {
  const parts = path.posix
    .normalize(template)
    .split('/')
    .filter((part) => part !== '')
  const firstMacro = parts.findIndex((part) => part.includes('$'))
  const fixed = firstMacro === -1 ? parts.length - 1 : firstMacro
  const below = parts.slice(fixed)
  return {
    base: `/${parts.slice(0, fixed).join('/')}`,
    components: (host) => below.map((part) => part.replace(/\$(?:HOST\b|\{HOST\})/g, hostComponent(host))),
  }
}
