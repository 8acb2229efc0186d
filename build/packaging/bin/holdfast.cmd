@"%~dp0..\runtime\node.exe" "%~dp0..\app.host\host\cli.mjs" %*
