import type { LocalOptions } from './options.ts'

/** What the destination is, whatever selects for it: two of the same cannot be in one configuration. */
export function localIdentity(options: LocalOptions): { kind: string; identity: string } {
  if ('pipe' in options) return { kind: 'pipe', identity: options.pipe }
  if ('program' in options) return { kind: 'program', identity: JSON.stringify(options.program) }
  if ('unix' in options) return { kind: 'unix', identity: options.unix }
  if ('unix-stream' in options) return { kind: 'unix-stream', identity: options['unix-stream'] }
  if ('console' in options) return { kind: 'console', identity: options.console }
  if ('users' in options) return { kind: 'users', identity: options.users.join(',') }
  return { kind: 'discard', identity: 'discard' }
}
