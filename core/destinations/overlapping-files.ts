// Old files of a path with a date are removed, or compressed, by what the path can have made. Where another destination's path can make the same files, each
// would do so with the other's: their names do not tell whose they are, so such a configuration is refused.

import type { FilesOption } from './files-options.ts'
import { canMakeTheSame, type PathShape, pathShape } from './path-overlap.ts'

/** A files destination as the configuration has it. */
export interface ListedFiles {
  /** Where it stands: `destinations[0]`. */
  readonly place: string
  readonly options: Pick<FilesOption, 'files' | 'expire' | 'compress'>
}

/** @returns for each that must not be where it is: the first one before it that it overlaps with, and why that cannot be */
export function overlapsOf<T extends ListedFiles>(
  listed: readonly T[],
): Array<{ readonly one: T; readonly before: T; readonly message: string }> {
  const found: Array<{ one: T; before: T; message: string }> = []
  const seen = new Map<string, { files: T; shape: PathShape }>()
  for (const one of listed) {
    const path = one.options.files
    if (seen.has(path)) continue
    const shape = pathShape(path)
    for (const { files: before, shape: other } of seen.values()) {
      const expiring = [before, one].find(({ options }) => options.expire !== undefined || options.compress !== 'none')
      if (expiring === undefined || !canMakeTheSame(shape, other)) continue
      const victim = expiring === one ? before : one
      const what =
        expiring.options.expire === undefined ? `compress of ${expiring.place} would take` : `expire of ${expiring.place} would remove`
      const message = `${one.place} (${path}) and ${before.place} (${before.options.files}) can make the same files, so ${what} those of ${victim.place}; give each a folder of its own`
      found.push({ one, before, message })
      break
    }
    seen.set(path, { files: one, shape })
  }
  return found
}
