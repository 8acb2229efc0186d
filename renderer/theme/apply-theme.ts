// The theme that was chosen, before anything is painted, so that no page flashes in the other one. It waits for no other file.
const chosen = localStorage.getItem('theme')
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen
