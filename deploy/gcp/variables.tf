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
  description = "Name of the bucket of Feast's registry, unique in the world; the same as NBA_FEATURES_REGISTRY_BUCKET."
  type        = string
}

variable "online_store" {
  description = "Online store of the gcp profile: bigtable or datastore, which are made here, or redis, which is not; the same as NBA_FEATURES_ONLINE_STORE."
  type        = string
  default     = "redis"

  validation {
    condition     = contains(["redis", "bigtable", "datastore"], var.online_store)
    error_message = "The online store is redis, bigtable or datastore."
  }
}

variable "bigtable_zone" {
  description = "Zone of the Bigtable instance."
  type        = string
  default     = "us-central1-b"
}
