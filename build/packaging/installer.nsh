; This folder is on a user's PATH since Windows 10: `holdfast` works in a new terminal, and no PATH is edited.
!macro customInstall
  CreateDirectory "$LOCALAPPDATA\Microsoft\WindowsApps"
  FileOpen $0 "$LOCALAPPDATA\Microsoft\WindowsApps\holdfast.cmd" w
  FileWrite $0 '@"$INSTDIR\resources\bin\holdfast.cmd" %*$\r$\n'
  FileClose $0
!macroend

; What the app itself registers while it runs goes as well: its links and its start at login.
!macro customUnInstall
  Delete "$LOCALAPPDATA\Microsoft\WindowsApps\holdfast.cmd"
  DeleteRegKey HKCU "Software\Classes\holdfast"
  DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "dev.holdfast.app"
!macroend
