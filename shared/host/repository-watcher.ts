import '../core/containers/repository-watcher.ts'
