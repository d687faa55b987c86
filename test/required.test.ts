/** A suite that skips in silence holds nothing. */
import { afterEach, expect, test, vi } from 'vitest'
import { required } from './support/required.js'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test('what is missing is said where tests are skipped, and an error in CI', () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  vi.stubEnv('CI', '')
  expect(required('a thing', () => false)).toBe(false)
  expect(warn).toHaveBeenCalledWith('skipped: this machine lacks a thing')
  vi.stubEnv('CI', 'true')
  expect(() => required('another', () => false)).toThrow('CI needs another')
  expect(required('what is there', () => true)).toBe(true)
})
