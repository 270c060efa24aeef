import { createHash } from 'node:crypto'

/** Name of a destination's cursor: the same as long as what identifies it is, whatever its place in the configuration. */
export function destinationName(kind: string, identity: string): string {
  return `${kind}-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`
}
