// C0, DEL and C1; line separators; the marks that turn or hide text in a terminal; unpaired surrogates.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu

/** Text of a peer, made fit for one log line: what a terminal or a line reader would act on becomes `\uXXXX`. Cut at `limit` characters. */
export function printable(text: string, limit = 300): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text
  return cut.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
