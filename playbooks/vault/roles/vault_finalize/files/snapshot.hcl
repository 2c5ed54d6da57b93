# The timer's token: read a snapshot, keep itself alive, nothing else.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
