export interface AlternativeName {
  /** OpenSSL's word for the kind: `DNS`, `URI`, `IP Address`, `email`, `DirName`, ... */
  readonly kind: string
  readonly value: string
}

const KIND = /([A-Za-z0-9 ]+):/y
// Node quotes, as JSON, every value that holds a comma, a quote, a backslash or a control character.
const QUOTED = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const BARE = /[^",]*/y

function take(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/**
 * Reads X509Certificate.subjectAltName (`DNS:a, URI:b, DNS:"c\u002c DNS:d"`) entry by entry, so that a comma inside a name cannot start a second one.
 * Undefined when the text as a whole does not read as such a list: then no part of it is to be believed.
 */
export function parseAlternativeNames(text: string): AlternativeName[] | undefined {
  const names: AlternativeName[] = []
  for (let at = 0; ; ) {
    const kind = take(KIND, text, at)
    if (kind === null) return undefined
    at += kind[0].length
    const quoted = take(QUOTED, text, at)
    const raw = quoted?.[0] ?? take(BARE, text, at)?.[0] ?? ''
    names.push({ kind: kind[1]!, value: quoted === null ? raw : (JSON.parse(raw) as string) })
    at += raw.length
    if (at === text.length) return names
    if (!text.startsWith(', ', at)) return undefined
    at += 2
  }
}
