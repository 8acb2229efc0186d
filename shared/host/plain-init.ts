import '../core/containers/plain-init.ts'
