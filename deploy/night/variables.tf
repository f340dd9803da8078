variable "project" {
  description = "Id of the project that holds the datasets and pays."
  type        = string
}

variable "location" {
  description = "Location of datasets and bucket, for instance US or europe-west1; the same as NBA_FEATURES_GCP_LOCATION."
  type        = string
  default     = "US"
}

variable "region" {
  description = "Region of what is not a dataset."
  type        = string
  default     = "us-central1"
}

variable "registry_bucket" {
  description = "Name of the bucket of Feast's registry, the one of ../gcp; the same as NBA_FEATURES_REGISTRY_BUCKET."
  type        = string
}

variable "image" {
  description = "Container image of deploy/Dockerfile, by digest."
  type        = string
}

variable "online_store" {
  description = "Online store of the gcp profile: redis, bigtable or datastore."
  type        = string
  default     = "datastore"
}

variable "notify_secret" {
  description = "Secret of Secret Manager that holds the addresses of NBA_FEATURES_NOTIFY; empty for none."
  type        = string
  default     = ""
}

variable "redis_secret" {
  description = "Secret of Secret Manager that holds NBA_FEATURES_REDIS, the address with its password; needed with online_store = redis."
  type        = string
  default     = ""
}

variable "network" {
  description = "VPC network that Redis is reached through; empty for none."
  type        = string
  default     = ""
}

variable "subnetwork" {
  description = "Subnetwork of it in the region."
  type        = string
  default     = ""
}
