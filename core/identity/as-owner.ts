import * as fs from 'node:fs'

/**
 * Runs `work` with the rights of the user that owns the directory, when this process is root's and the directory is not: what root does there, that user
 * could otherwise turn elsewhere by a link put into its way. Files that are made belong to that user.
 * @param work ends when it returns: rights are the whole process's, so nothing else may run meanwhile
 */
export function asOwner<T>(directory: string, work: () => T): T {
  const owner = fs.statSync(directory, { throwIfNoEntry: false })
  const { geteuid, seteuid, getegid, setegid } = process
  if (owner === undefined || owner.uid === 0 || geteuid?.() !== 0 || !seteuid || !getegid || !setegid) return work()
  const group = getegid()
  setegid(owner.gid)
  seteuid(owner.uid)
  try {
    return work()
  } finally {
    seteuid(0)
    setegid(group)
  }
}
