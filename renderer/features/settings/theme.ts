export type Theme = 'system' | 'light' | 'dark'

const KEY = 'theme'

export const readTheme = (): Theme => {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

/** Applies the theme to this page and keeps it. */
export const setTheme = (theme: Theme): void => {
  localStorage.setItem(KEY, theme)
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
}
