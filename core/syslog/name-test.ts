// Names as program and host blocks have them: `sshd,cron`, `-sshd` for all but these, `*.example.com`.

import { CaselessName, GlobName, type NamePattern, PlainName } from './name-pattern.ts'

export const NAMES_LIMIT = 256
const NAME_LIMIT_CHARACTERS = 255

export interface NameList {
  readonly isExcluded: boolean
  readonly patterns: readonly NamePattern[]
  /** Whether `@` is among them, this host's own name. */
  readonly hasLocal: boolean
  readonly text: string
}

export type NamesResult = { kind: 'names'; names: NameList | undefined } | { kind: 'malformed'; reason: string }

/**
 * Reads names with commas between them; `-` or `!` before the first excludes all, `+` says nothing, `*` alone is everyone and gives no list.
 * A name may hold `*` for any characters and `?` for one.
 * @param isHost in any case, `@` for this host
 */
export function readNames(text: string, isHost: boolean): NamesResult {
  const match = /^\s*(!?[-+]?)\s*(.*?)\s*$/s.exec(text)!
  const sign = match[1]!
  const isExcluded = sign.endsWith('-') || sign === '!'
  const words = match[2]!.split(',').map((word) => word.trim())
  if (words.length === 1 && words[0] === '*' && !isExcluded) return { kind: 'names', names: undefined }
  if (words.length > NAMES_LIMIT) return { kind: 'malformed', reason: `over ${NAMES_LIMIT} names` }
  for (const word of words) {
    if (word === '') return { kind: 'malformed', reason: 'an empty name' }
    if (word.length > NAME_LIMIT_CHARACTERS) return { kind: 'malformed', reason: `a name of over ${NAME_LIMIT_CHARACTERS} characters` }
    if (!/^[!-~]+$/.test(word)) return { kind: 'malformed', reason: 'a character in it that no name has' }
  }
  const others = isHost ? words.filter((word) => word !== '@') : words
  const patterns = others.map((word) =>
    /[*?]/.test(word) ? new GlobName(word, isHost) : isHost ? new CaselessName(word) : new PlainName(word),
  )
  return {
    kind: 'names',
    names: { isExcluded, patterns, hasLocal: others.length < words.length, text: `${isExcluded ? '-' : ''}${words.join(',')}` },
  }
}
