"""Fills the S3 store: `store.py ENDPOINT ACTION ...`, the object's bytes from a file."""

import sys

import boto3


def client(endpoint):
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                        aws_access_key_id="tester", aws_secret_access_key="secret of the tester")


def main(endpoint, action, bucket, *rest):
    store = client(endpoint)
    if action == "bucket":
        store.create_bucket(Bucket=bucket)
    elif action == "put":
        for key, path in zip(rest[0::2], rest[1::2]):
            store.upload_file(path, bucket, key)
    elif action == "delete":
        for key in rest:
            store.delete_object(Bucket=bucket, Key=key)
    else:
        raise SystemExit(f"unknown action {action}")


main(*sys.argv[1:])
