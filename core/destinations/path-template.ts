import { createHash } from 'node:crypto'
import * as path from 'node:path'

/** Beside the hosts: what they could not prove, one folder each. See UNVERIFIED in core/transport/names.ts. */
const UNVERIFIED = '_unverified'
const SAFE = /^[a-z0-9_][a-z0-9._-]{0,252}$/

/**
 * A host name as one component of a path. Names come from certificates and have been checked there; this is the second lock: whatever is not
 * plainly a name becomes a hash, so no name is a dot, a slash, empty, too long, or the same as another's.
 */
export function hostComponent(host: string): string {
  return SAFE.test(host) && !host.endsWith('.') && host !== UNVERIFIED
    ? host
    : `h-${createHash('sha256').update(host).digest('hex').slice(0, 16)}`
}

/** `$HOST` in one part of the template; what is unverified lies one folder deeper. */
function expanded(part: string, host: string): string[] {
  const macro = /\$(?:HOST\b|\{HOST\})/g
  const isApart = host.startsWith(`${UNVERIFIED}/`)
  const component = hostComponent(isApart ? host.slice(UNVERIFIED.length + 1) : host)
  // Also `$HOST.log` and `all-$HOST` keep their form, below the folder.
  return isApart && part.includes('$') ? [UNVERIFIED, part.replace(macro, component)] : [part.replace(macro, component)]
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
    components: (host) => below.flatMap((part) => expanded(part, host)),
  }
}
