import { PRI_DEFAULT, readPri } from '../syslog/priority.ts'
import { compileSelector, selectsPri } from '../syslog/selector.ts'
import type { Selects } from './selects.ts'

/** A selector that the options have checked, as what selects. */
export function selectorSelects(text: string | undefined): Selects | undefined {
  if (text === undefined) return undefined
  const result = compileSelector(text)
  if (result.kind !== 'selector') throw new Error(`Cannot compile the selector ${text}: the options let it pass`)
  const { bits } = result.selector
  return {
    selects: (bytes, start, end) => {
      const packed = readPri(bytes, start, end)
      return selectsPri(bits, packed === -1 ? PRI_DEFAULT : packed >>> 3)
    },
  }
}
