const SHOWN_MAX_CHARACTERS = 80
const SECRET = /secret|password|passphrase|token/i
const PLAIN_KEY = /^[\w-]{1,64}$/
// What would move the cursor, hide or reorder text on a terminal, beyond what JSON escapes.
const UNPRINTABLE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/**
 * A value found in a configuration, for a person. What stands under a key named like a secret, or reads like one, is not shown,
 * and neither is what a list or mapping holds.
 * @param source the value as written, for numbers: `0666` rather than 666
 */
export function shownValue(value: unknown, path: readonly PropertyKey[], source?: string): string {
  if (value === undefined || value === null) return 'nothing'
  if (mustHide(value, path)) return 'a value that is not shown'
  if (typeof value === 'string') return shownText(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value !== 'object') return `${typeof value} ${source ?? String(value)}`
  const keys = Object.keys(value)
  return keys.length === 0 ? 'an empty mapping' : `a mapping with ${keys.slice(0, 8).map(shownKey).join(', ')}`
}

/** Whether a message about this value may quote any of it. */
export function mustHide(value: unknown, path: readonly PropertyKey[]): boolean {
  return path.some((key) => SECRET.test(String(key))) || (typeof value === 'string' && SECRET.test(value))
}

/** `listeners[0].clients.names`; what is below a key named like a secret is not shown. */
export function shownPath(path: readonly PropertyKey[]): string {
  const secretFrom = path.findIndex((key) => SECRET.test(String(key)))
  const end = secretFrom < 0 ? path.length : secretFrom + 1
  const shown = path.slice(0, end).map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at > 0 ? '.' : ''}${shownKey(String(key))}`))
  return shown.join('') + (end < path.length ? '.(not shown)' : '')
}

function shownKey(key: string): string {
  if (PLAIN_KEY.test(key)) return key
  return SECRET.test(key) ? '(a key that is not shown)' : shownText(key)
}

function shownText(text: string): string {
  const cut = text.length > SHOWN_MAX_CHARACTERS ? `${text.slice(0, SHOWN_MAX_CHARACTERS)}...` : text
  return JSON.stringify(cut).replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
