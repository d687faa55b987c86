/** What a website imports from `@relyd/sdk/web`: login and API guard on the web's own Request and Response. */
export { ApiGuard, type ApiGuardOptions, type Grant, type GrantNeeds } from './api_guard.js'
export type { LoginParams, Session, Told, WebsiteOptions } from './setting.js'
export type { Trouble, TroubleCode } from './trouble.js'
export { private_headers, Website } from './website.js'
